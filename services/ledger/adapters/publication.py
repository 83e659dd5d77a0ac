"""How entries leave for topic `points`, and how the service knows that a published fact is its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import numbered_headers
from schemas.points import points_type
from services.ledger.adapters.books import POINTS_TOPIC
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.migrate import role_of
from services.runtime.postgres.unit_of_work import UnitOfWork

ENTRIES = """
SELECT e.type, e.occurred_at, e.fact, e.hash
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS row (member_id, member_seq, position)
JOIN entry e ON e.member_id = row.member_id AND e.member_seq = row.member_seq
ORDER BY row.position
"""
HASH_OF = text("SELECT hash FROM entry WHERE member_id = CAST(:member_id AS uuid) AND member_seq = :member_seq")
LOCK_ACCOUNT = text("SELECT FROM account WHERE member_id = CAST(:member_id AS uuid) FOR UPDATE")
NUMBERS = text("SELECT member_seq FROM entry WHERE member_id = CAST(:member_id AS uuid) ORDER BY member_seq")
BOOKS_OPEN = text("SELECT has_table_privilege(:role, 'account', 'UPDATE')")
SOURCE = "ledger"
REMEDY = "loyalty rebuild ledger --from topic"


class EntrySource:
    """Turns the outbox's pointers into the facts as they were stored, byte for byte."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> list[Message]:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        found = await driver.fetch(ENTRIES, [row.key for row in rows], [int(row.ref) for row in rows])
        assert len(found) == len(rows), "an outbox row points to an entry that does not exist"
        return [
            Message(POINTS_TOPIC, row.key, entry["fact"], _headers(row, entry))
            for row, entry in zip(rows, found, strict=True)
        ]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        await uow.connection.execute(LOCK_ACCOUNT, {"member_id": key})
        numbers = await uow.connection.scalars(NUMBERS, {"member_id": key})
        return [OutboxRow(topic, key, str(number)) for number in numbers]


async def books_are_open(connection: AsyncConnection) -> bool:
    """False from the first step of a rebuild to its last: the service's role may not write accounts meanwhile."""
    return bool(await connection.scalar(BOOKS_OPEN, {"role": role_of(SOURCE)}))


class PointsOwner:
    """The guard's question: is the last fact on `points` in these books, and are they whole?"""

    topics = (POINTS_TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        asked = {"member_id": record.key, "member_seq": int(record.headers["member_seq"])}
        known = (await connection.execute(HASH_OF, asked)).scalar_one_or_none()
        if known is None or bytes(known).hex() != record.headers["hash"]:
            return False
        return await books_are_open(connection)

    def remedy(self, topic: str) -> str:
        return REMEDY


def _headers(row: StoredOutboxRow, entry: Mapping[str, Any]) -> dict[str, str]:
    return numbered_headers(
        event_type=points_type(entry["type"]),
        member_id=row.key,
        member_seq=int(row.ref),
        source=SOURCE,
        at=entry["occurred_at"],
        link=entry["hash"],
    )
