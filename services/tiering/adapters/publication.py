"""How tier changes leave for topic `tiers`, and how the service knows a published one as its own."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import numbered_headers
from schemas.tiers import TIER_CHANGED_V1
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.tiering.adapters.standings import TOPIC

SOURCE = "tiering"


class TierChangeSource:
    """Turns the outbox's pointers into the facts as they were stored, byte for byte."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        wanted = {"members": [UUID(row.key) for row in rows], "numbers": [int(row.ref) for row in rows]}
        found = {(str(row.member_id), row.member_seq): row for row in await connection.execute(_FACTS, wanted)}
        return [_message(found[row.key, int(row.ref)]) for row in rows]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        await uow.connection.execute(_LOCK_STANDING, {"member_id": key})
        numbers = await uow.connection.scalars(_NUMBERS, {"member_id": key})
        return [OutboxRow(topic, key, str(number)) for number in numbers]


class TiersTopic:
    """The guard's question: is the last fact of a partition in these tables?"""

    topics: Sequence[str] = (TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        wanted = {"members": [UUID(record.key)], "numbers": [int(record.headers["member_seq"])]}
        row = (await connection.execute(_FACTS, wanted)).one_or_none()
        return row is not None and bytes(row.hash).hex() == record.headers["hash"]

    def remedy(self, topic: str) -> str:
        return "restore the newest backup of schema `tiering`: it must hold all that the topic holds"


def _message(row: Row[Any]) -> Message:
    headers = numbered_headers(
        event_type=TIER_CHANGED_V1,
        member_id=str(row.member_id),
        member_seq=row.member_seq,
        source=SOURCE,
        at=row.recorded_at,
        link=bytes(row.hash),
    )
    return Message(TOPIC, str(row.member_id), bytes(row.fact), headers)


_LOCK_STANDING = text("SELECT FROM standing WHERE member_id = CAST(:member_id AS uuid) FOR UPDATE")
_NUMBERS = text("SELECT member_seq FROM tier_change WHERE member_id = CAST(:member_id AS uuid) ORDER BY member_seq")
_FACTS = text(
    "SELECT member_id, member_seq, recorded_at, fact, hash FROM tier_change WHERE (member_id, member_seq) IN"
    " (SELECT * FROM unnest(CAST(:members AS uuid[]), CAST(:numbers AS bigint[])))"
)
