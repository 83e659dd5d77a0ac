"""Standings and tier changes in tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.tiering.adapters.facts import chain, chain_start, encode
from services.tiering.adapters.state import decode_state, encode_state
from services.tiering.application import Account
from services.tiering.domain.changes import MemberStanding
from services.tiering.domain.cursor import Cursor
from services.tiering.domain.facts import TierChanged
from services.tiering.domain.period_ends import due_at

TOPIC = "tiers"
_CHANGE_COLUMNS = ("member_id", "member_seq", "event_id", "effective_from", "recorded_at", "fact", "hash")
# Nobody is lowered while facts of theirs are set aside: what they hold may keep the tier.
NOT_PARKED = """NOT EXISTS (
  SELECT FROM parked_key WHERE consumer = 'tiering' AND topic = 'points' AND key = standing.member_id::text
)"""
_Row = tuple[UUID, int, UUID, object, object, bytes, bytes]


@dataclass(frozen=True, slots=True)
class StandingTable:
    """Meets the application's `Standings` inside one transaction."""

    uow: UnitOfWork

    async def lock(self, member_ids: Collection[str]) -> dict[str, Account]:
        # Sorted, so that two batches with members in common never wait for each other.
        wanted = sorted(member_ids)
        driver = await self.uow.driver()
        states = [encode_state(MemberStanding(member_id)) for member_id in wanted]
        starts = [chain_start(member_id) for member_id in wanted]
        await driver.execute(_INSERT_MISSING, wanted, starts, states)
        return {str(row["member_id"]): _account(row) for row in await driver.fetch(_LOCK, wanted)}

    async def lock_due(self, boundary: datetime, limit: int) -> Sequence[Account]:
        driver = await self.uow.driver()
        return [_account(row) for row in await driver.fetch(_LOCK_DUE, boundary, limit)]

    async def save(self, accounts: Sequence[Account]) -> None:
        if not accounts:
            return
        changes: list[_Row] = []
        heads = [_appended(account, changes) for account in accounts]
        driver = await self.uow.driver()
        await driver.copy_records_to_table("tier_change", records=changes, columns=_CHANGE_COLUMNS)
        await driver.execute(
            _SAVE,
            [account.standing.member_id for account in accounts],
            [account.cursor.seq for account in accounts],
            [account.cursor.hash for account in accounts],
            [account.standing.member_seq for account in accounts],
            heads,
            [encode_state(account.standing) for account in accounts],
            [due_at(account.standing) for account in accounts],
        )
        await self.uow.add_outbox(OutboxRow(TOPIC, str(row[0]), str(row[1])) for row in changes)


@dataclass(frozen=True, slots=True)
class StandingReading:
    """Meets the application's `StandingReader`."""

    connection: AsyncConnection

    async def find(self, member_id: str) -> MemberStanding | None:
        row = (await self.connection.execute(_FIND, {"member_id": member_id})).one_or_none()
        if row is None:
            return None
        return decode_state(member_id, row.state) if row.state is not None else MemberStanding(member_id)


def _account(row: Mapping[str, Any]) -> Account:
    cursor = Cursor(row["points_seq"], row["points_hash"])
    return Account(cursor, decode_state(str(row["member_id"]), row["state"]), row["head"])


def _appended(account: Account, rows: list[_Row]) -> bytes:
    head = account.head
    for change in account.changes:
        fact = encode(change)
        head = chain(head, fact)
        rows.append(_row(change, fact, head))
    return head


def _row(change: TierChanged, fact: bytes, head: bytes) -> _Row:
    member_id, event_id = UUID(change.member_id), UUID(change.event_id)
    return member_id, change.member_seq, event_id, change.effective_from, change.recorded_at, fact, head


_INSERT_MISSING = """
INSERT INTO standing (member_id, points_seq, points_hash, member_seq, head, state)
SELECT member_id, 0, start, 0, start, state::jsonb
FROM unnest($1::uuid[], $2::bytea[], $3::text[]) AS row (member_id, start, state)
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT member_id, points_seq, points_hash, head, state::text AS state
FROM standing WHERE member_id = ANY($1::uuid[]) ORDER BY member_id FOR UPDATE
"""
# Nobody is waited for: a batch that holds the row moves the end itself, or leaves it to the next run.
_LOCK_DUE = f"""
SELECT member_id, points_seq, points_hash, head, state::text AS state
FROM standing WHERE due_at <= $1 AND {NOT_PARKED} ORDER BY due_at, member_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
# The state is written through text: whatever codec a pool has set for jsonb, one spelling goes in and out.
_SAVE = """
UPDATE standing SET points_seq = row.points_seq, points_hash = row.points_hash, member_seq = row.member_seq,
  head = row.head, state = row.state::jsonb, due_at = row.due_at
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[], $6::text[], $7::timestamptz[])
  AS row (member_id, points_seq, points_hash, member_seq, head, state, due_at)
WHERE standing.member_id = row.member_id
"""
_FIND = text(
    "SELECT s.state::text AS state FROM member m LEFT JOIN standing s ON s.member_id = m.member_id"
    " WHERE m.member_id = CAST(:member_id AS uuid)"
)
