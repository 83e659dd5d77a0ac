"""How entries leave for topic `points`, and how the service knows that a published fact is its own."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.points import points_type
from services.ledger.adapters.books import POINTS_TOPIC
from services.ledger.domain.instants import instant_text
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, Record

ENTRIES = """
SELECT e.type, e.occurred_at, e.fact, e.hash
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS row (member_id, member_seq, position)
JOIN entry e ON e.member_id = row.member_id AND e.member_seq = row.member_seq
ORDER BY row.position
"""
HASH_OF = text("SELECT hash FROM entry WHERE member_id = CAST(:member_id AS uuid) AND member_seq = :member_seq")
REMEDY = "loyalty rebuild ledger --from topic names the first fact that is missing; restore the newest backup of it"


class EntrySource:
    """Turns the outbox's pointers into the facts as they were stored, byte for byte."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> list[Message]:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        found = await driver.fetch(ENTRIES, [row.key for row in rows], [int(row.ref) for row in rows])
        assert len(found) == len(rows), "an outbox row points to an entry that does not exist"
        return [
            Message(POINTS_TOPIC, row.key, fact, _headers(row, fact_type, occurred_at, entry_hash))
            for row, (fact_type, occurred_at, fact, entry_hash) in zip(rows, found, strict=True)
        ]


class PointsOwner:
    """The guard's question: is the last fact on `points` in these books?"""

    topics = (POINTS_TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        asked = {"member_id": record.key, "member_seq": int(record.headers["member_seq"])}
        known = (await connection.execute(HASH_OF, asked)).scalar_one_or_none()
        return known is not None and bytes(known).hex() == record.headers["hash"]

    def remedy(self, topic: str) -> str:
        return REMEDY


def _headers(row: StoredOutboxRow, fact_type: str, occurred_at: datetime, entry_hash: bytes) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": f"{row.key}/{row.ref}",
        "ce_source": "ledger",
        "ce_type": points_type(fact_type),
        "ce_time": instant_text(occurred_at),
        "content-type": "application/json",
        "member_seq": row.ref,
        "hash": entry_hash.hex(),
    }
