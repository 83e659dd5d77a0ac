"""How purchases, outcomes and activities leave, and how the service knows that a published one is its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkouts import CHECKOUT_V1
from schemas.envelope import event_headers
from schemas.outcomes import OUTCOME_V1
from schemas.purchases import ACTIVITY_V1, PURCHASE_V1
from services.ingest.adapters.activities import ACTIVITIES_TOPIC
from services.ingest.adapters.books import OUTCOMES_TOPIC, PURCHASES_TOPIC
from services.ingest.application.ports import Submission
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.unit_of_work import UnitOfWork

CHECKOUTS_TOPIC = "checkouts"
SOURCE = "ingest"


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where the facts of a topic are; `query` answers key, ref, recorded_at and body, `of_key` the refs of a key."""

    ce_type: str
    query: str
    known: str
    of_key: str

    def ce_id(self, key: str, ref: str) -> str:
        return f"{key}/{ref}" if self.ce_type == OUTCOME_V1 else ref


_STORED: Mapping[str, _Stored] = MappingProxyType(
    {
        PURCHASES_TOPIC: _Stored(
            PURCHASE_V1,
            "SELECT member_id::text, event_id::text, recorded_at, body FROM purchase"
            " WHERE (member_id, event_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
            "SELECT count(*) FROM purchase WHERE member_id = CAST(:key AS uuid) AND event_id = CAST(:ref AS uuid)",
            # Of one batch all have the same instant: what comes back follows its sale.
            "SELECT event_id::text FROM purchase WHERE member_id = CAST(:key AS uuid)"
            " ORDER BY recorded_at, convert_from(body, 'UTF8')::jsonb ? 'original_id', event_id",
        ),
        OUTCOMES_TOPIC: _Stored(
            OUTCOME_V1,
            "SELECT event_id::text, outcome_seq::text, recorded_at, body FROM outcome"
            " WHERE (event_id, outcome_seq) IN (SELECT * FROM unnest($1::uuid[], $2::text[]::int[]))",
            "SELECT count(*) FROM outcome WHERE event_id = CAST(:key AS uuid) AND outcome_seq::text = :ref",
            "SELECT outcome_seq::text FROM outcome WHERE event_id = CAST(:key AS uuid) ORDER BY outcome_seq",
        ),
        ACTIVITIES_TOPIC: _Stored(
            ACTIVITY_V1,
            "SELECT member_id::text, event_id::text, recorded_at, body FROM activity"
            " WHERE (member_id, event_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
            "",
            "SELECT event_id::text FROM activity WHERE member_id = CAST(:key AS uuid) ORDER BY recorded_at, event_id",
        ),
    }
)


_LOCK_CHECKOUT = text("SELECT FROM checkout WHERE event_id = CAST(:key AS uuid) FOR UPDATE")


class FactSource:
    """Turns the outbox's pointers into the facts as they were stored, byte for byte."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> list[Message]:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        # The rows of a batch mix topics; each is read in one go and put back in the order of the outbox.
        found: dict[tuple[str, str, str], Message] = {}
        for topic in {row.topic for row in rows}:
            wanted = [row for row in rows if row.topic == topic]
            facts = await driver.fetch(_STORED[topic].query, [row.key for row in wanted], [row.ref for row in wanted])
            found |= {(topic, key, ref): _message(topic, key, ref, at, body) for key, ref, at, body in facts}
        return [found[row.topic, row.key, row.ref] for row in rows]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        # Purchases and activities stand for themselves, in any order; outcomes of a checkout are numbered.
        if topic == OUTCOMES_TOPIC:
            await uow.connection.execute(_LOCK_CHECKOUT, {"key": key})
        refs = await uow.connection.scalars(text(_STORED[topic].of_key), {"key": key})
        return [OutboxRow(topic, key, ref) for ref in refs]


class FactOwner:
    """The guard's question; `activities` is left out, for the notifier writes there as well."""

    topics = (PURCHASES_TOPIC, OUTCOMES_TOPIC)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        stored, ref = _STORED[record.topic], record.headers["ce_id"].rpartition("/")[2]
        return bool(await connection.scalar(text(stored.known), {"key": record.key, "ref": ref}))

    def remedy(self, topic: str) -> str:
        return "restore the newest backup of schema `ingest`: it must hold all that the topic holds"


def checkout_message(submission: Submission) -> Message:
    """What the HTTP door publishes: the same as a till with Kafka of its own."""
    event_id, at = str(submission.arrival.event_id), submission.occurred_at
    headers = event_headers(event_type=CHECKOUT_V1, event_id=event_id, source=submission.source, at=at)
    return Message(CHECKOUTS_TOPIC, submission.terminal, submission.paper.plain(), headers)


def _message(topic: str, key: str, ref: str, recorded_at: datetime, body: bytes) -> Message:
    stored = _STORED[topic]
    event_id = stored.ce_id(key, ref)
    headers = event_headers(event_type=stored.ce_type, event_id=event_id, source=SOURCE, at=recorded_at)
    return Message(topic, key, body, headers)
