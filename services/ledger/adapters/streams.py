"""The stored entries, read through by member and number."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters import canonical
from services.ledger.application.replay import MemberFold, StreamError
from services.ledger.domain.facts import SpendingFact
from services.ledger.domain.ids import MemberId

ENTRIES = text("SELECT member_id::text, member_seq, fact, hash FROM entry ORDER BY member_id, member_seq")
ENTRY_COUNT = text("SELECT count(*) FROM entry")
FETCH_ROWS = 2_000

Progress = Callable[[int, int], None]
"""Called with facts folded so far and facts in all."""


class StoredEntry(NamedTuple):
    """A fact as the books and the topic have it: canonical bytes, and the hash that chains them."""

    member_id: MemberId
    member_seq: int
    encoded: bytes
    hash: bytes


@dataclass(slots=True)
class MemberStream:
    """A member's entries folded to their end, or up to where they are `broken`; what they tell of redemptions."""

    fold: MemberFold
    spending: list[SpendingFact] = field(default_factory=list)
    broken: StreamError | None = None

    def add(self, entry: StoredEntry) -> None:
        if self.broken is not None:
            return
        try:
            fact = self.fold.add(canonical, entry.encoded, entry.hash)
        except StreamError as broken:
            self.broken = broken
            return
        if isinstance(fact, SpendingFact):
            self.spending.append(fact)


def no_progress(_done: int, _total: int) -> None:
    """For callers that nobody watches."""


async def member_streams(connection: AsyncConnection, progress: Progress) -> AsyncIterator[MemberStream]:
    """Every member's stream, one after the other."""
    done, total = 0, await entry_count(connection)
    stream: MemberStream | None = None
    async for entry in stored_entries(connection):
        if stream is None or stream.fold.state.member_id != entry.member_id:
            if stream is not None:
                yield stream
            stream = MemberStream(MemberFold.empty(entry.member_id))
        stream.add(entry)
        done += 1
        if done % FETCH_ROWS == 0:
            progress(done, total)
            await asyncio.sleep(0)
    progress(done, total)
    if stream is not None:
        yield stream


async def stored_entries(connection: AsyncConnection) -> AsyncIterator[StoredEntry]:
    """Every entry by member and number, through a cursor."""
    result = await connection.stream(ENTRIES, execution_options={"yield_per": FETCH_ROWS})
    async for member_id, member_seq, encoded, entry_hash in result:
        yield StoredEntry(MemberId(member_id), member_seq, bytes(encoded), bytes(entry_hash))


async def entry_count(connection: AsyncConnection) -> int:
    return int((await connection.execute(ENTRY_COUNT)).scalar_one())
