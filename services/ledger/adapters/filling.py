"""The books made again from topic `points`, whether they are empty or an old backup."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text

from services.ledger.adapters import canonical
from services.ledger.adapters.books import POINTS_TOPIC, PostgresBooks
from services.ledger.adapters.closing import (
    check_can_be_filled,
    check_owner,
    check_schema,
    close_books,
    input_beginnings,
    only_rebuild,
    open_books,
)
from services.ledger.adapters.mending import write_accounts
from services.ledger.adapters.publication import SOURCE
from services.ledger.adapters.replaying import live_fingerprints, published_fact
from services.ledger.adapters.statuses import PostgresStatuses
from services.ledger.adapters.stocks import refold_stock
from services.ledger.adapters.streams import Progress, no_progress
from services.ledger.application.recording import Entry, entry_of
from services.ledger.application.replay import (
    Comparison,
    Fingerprint,
    MemberFold,
    StreamError,
    compare,
    fingerprint_of,
)
from services.ledger.domain.ids import MemberId
from services.runtime.errors import HaltError
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.reader import end_offsets, read_topic
from services.runtime.kafka.relay import fence_relays
from services.runtime.kafka.rereading import read_through
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

MEMBERS_A_BATCH = 1_000
STORED = """
SELECT e.member_id::text, e.member_seq, e.fact = told.fact AND e.hash = told.hash
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[]) AS told (member_id, member_seq, fact, hash)
JOIN entry e ON e.member_id = told.member_id AND e.member_seq = told.member_seq
"""
UNPUBLISHED = """
SELECT e.member_id::text, e.member_seq, e.fact, e.hash,
       EXISTS (SELECT FROM outbox o WHERE o.topic = $3 AND o.key = e.member_id::text AND o.ref = e.member_seq::text)
FROM unnest($1::uuid[], $2::bigint[]) AS told (member_id, member_seq)
JOIN entry e ON e.member_id = told.member_id AND e.member_seq > told.member_seq
ORDER BY e.member_id, e.member_seq
"""
DROP_PUBLISHED = """
DELETE FROM outbox o USING unnest($1::text[], $2::bigint[]) AS told (member_id, member_seq)
WHERE o.topic = $3 AND o.key = told.member_id AND o.ref::bigint <= told.member_seq
"""
WAITING = text("SELECT DISTINCT key FROM outbox WHERE topic = :topic")
PATIENT = text("SET LOCAL statement_timeout = 0")


@dataclass(frozen=True, slots=True)
class Filled:
    """`added` facts were missing; while the two digests differ, the books stay closed."""

    added: int
    comparison: Comparison


async def fill_from_topic(
    database: Database,
    kafka: KafkaSettings,
    kept: Mapping[str, Handler[Any]],
    *,
    relay_shards: int = 1,
    progress: Progress = no_progress,
) -> Filled:
    """Brings books that are behind their topic level with it; `database` is open as the owner of the tables.

    `kept` handles the topics that every decision rests on beside the facts. HaltError where it must not begin, and
    nothing is changed then; StreamError where topic and books tell different histories. Interrupted, it goes on
    from what is committed when it is called again.
    """
    await check_schema(database)
    await check_owner(database)
    async with only_rebuild(database):
        await check_can_be_filled(database, kafka)
        await database.run(close_books)
        await fence_relays(kafka, SOURCE, relay_shards)
        ends = await end_offsets(kafka, POINTS_TOPIC)
        filling = _Filling(database, kafka, ends, progress)
        for partition in sorted(ends):
            await filling.fill_partition(partition)
        await filling.keep_unpublished()
        await _read_kept_topics(database, kafka, kept)
        await _refuse_another_writer(kafka, ends)
        comparison = await filling.compared()
        if comparison.equal:
            await _open(database, kafka)
        return Filled(filling.added, comparison)


class _Filling:
    """Holds the folds of one partition at a time; of the members behind it only their fingerprints."""

    def __init__(self, database: Database, kafka: KafkaSettings, ends: Mapping[int, int], progress: Progress) -> None:
        self._database = database
        self._kafka = kafka
        self._ends = ends
        self._progress = progress
        self._read = 0
        self._facts = 0
        self._folds: dict[MemberId, MemberFold] = {}
        self._rebuilt: dict[MemberId, Fingerprint] = {}
        self.added = 0

    async def fill_partition(self, partition: int) -> None:
        end = self._ends[partition]
        async for records in read_topic(self._kafka, POINTS_TOPIC, to_offsets={partition: end}):
            await self._add(self._fold(records))
            self._progress(self._read + records[-1].offset + 1, sum(self._ends.values()))
            await asyncio.sleep(0)
        self._read += end
        await self._keep_accounts()

    async def keep_unpublished(self) -> None:
        """Members of whom no fact has been published yet: what waits in the outbox is theirs."""
        async with self._database.read() as connection:
            waiting = list(await connection.scalars(WAITING, {"topic": POINTS_TOPIC}))
        members = [MemberId(key) for key in waiting if key not in self._rebuilt]
        self._folds = {member: MemberFold.empty(member) for member in members}
        await self._keep_accounts()

    async def compared(self) -> Comparison:
        """The live books, as they are now, against what was folded."""
        async with self._database.read(snapshot=True) as connection:
            await connection.execute(PATIENT)
            live = await live_fingerprints(connection)
        return compare(live, self._rebuilt, facts=self._facts)

    def _fold(self, records: Sequence[Record[bytes | None]]) -> list[Entry]:
        entries = []
        for record in records:
            published = published_fact(record)
            fold = self._folds.get(published.member_id)
            if fold is None:
                fold = self._folds[published.member_id] = MemberFold.empty(published.member_id)
            # A relay killed between commit and delete sends one batch twice; the first copy was folded.
            if published.member_seq > fold.state.member_seq:
                fact = fold.add(canonical, published.encoded, published.hash)
                entries.append(
                    entry_of(published.member_id, published.member_seq, fact, published.encoded, published.hash)
                )
        self._facts += len(entries)
        return entries

    async def _add(self, entries: Sequence[Entry]) -> None:
        async def work(uow: UnitOfWork) -> int:
            stored = await _stored(uow, entries)
            missing = [entry for entry in entries if (entry.member_id, entry.member_seq) not in stored]
            await PostgresBooks(uow).insert_entries(missing)
            return len(missing)

        if entries:
            self.added += await self._database.run(work)

    async def _keep_accounts(self) -> None:
        folds = list(self._folds.values())
        for start in range(0, len(folds), MEMBERS_A_BATCH):
            chunk = folds[start : start + MEMBERS_A_BATCH]
            await self._database.run(partial(_drop_published, chunk))
            await self._go_on_with_unpublished(chunk)
            await self._database.run(partial(_write_accounts, chunk))
            self._rebuilt |= {MemberId(fold.state.member_id): fingerprint_of(canonical, fold) for fold in chunk}
        self._folds = {}

    async def _go_on_with_unpublished(self, folds: Sequence[MemberFold]) -> None:
        """Facts that were committed and still wait for the relay stand behind the last one on the topic."""
        async with self._database.begin() as uow:
            rows = await (await uow.driver()).fetch(UNPUBLISHED, *_heads(folds), POINTS_TOPIC)
        for member_id, member_seq, encoded, link, waits in rows:
            if not waits:
                raise StreamError(
                    member_id, member_seq, "is in the books, but neither on the topic nor on its way to it"
                )
            self._folds[MemberId(member_id)].add(canonical, encoded, link)
        self._facts += len(rows)


async def _stored(uow: UnitOfWork, entries: Sequence[Entry]) -> set[tuple[MemberId, int]]:
    """Which of the entries the books hold; StreamError for one that is another fact there."""
    columns = zip(*((entry.member_id, entry.member_seq, entry.fact, entry.hash) for entry in entries), strict=True)
    rows = await (await uow.driver()).fetch(STORED, *columns)
    for member_id, member_seq, is_same in rows:
        if not is_same:
            raise StreamError(member_id, member_seq, "the books hold another fact than the topic: two histories")
    return {(MemberId(member_id), member_seq) for member_id, member_seq, _ in rows}


async def _drop_published(folds: Sequence[MemberFold], uow: UnitOfWork) -> None:
    """What an old backup was about to publish, and has published since."""
    await (await uow.driver()).execute(DROP_PUBLISHED, *_heads(folds), POINTS_TOPIC)


async def _write_accounts(folds: Sequence[MemberFold], uow: UnitOfWork) -> None:
    await write_accounts(uow, folds)


def _heads(folds: Sequence[MemberFold]) -> tuple[list[MemberId], list[int]]:
    return [fold.state.member_id for fold in folds], [fold.state.member_seq for fold in folds]


async def _read_kept_topics(database: Database, kafka: KafkaSettings, kept: Mapping[str, Handler[Any]]) -> None:
    await database.run(lambda uow: PostgresStatuses(uow).forget_all())
    for topic, handler in kept.items():
        await read_through(kafka, database, topic, handler)


async def _refuse_another_writer(kafka: KafkaSettings, ends: Mapping[int, int]) -> None:
    if await end_offsets(kafka, POINTS_TOPIC) != ends:
        raise HaltError(
            f"topic `{POINTS_TOPIC}` grew while it was read",
            "a relay of the ledger still publishes, perhaps from another database: stop it, then begin again",
        )


async def _open(database: Database, kafka: KafkaSettings) -> None:
    beginnings = await input_beginnings(database, kafka)

    async def work(uow: UnitOfWork) -> None:
        await uow.connection.execute(PATIENT)
        await refold_stock(uow)
        await open_books(uow, beginnings)

    await database.run(work)
