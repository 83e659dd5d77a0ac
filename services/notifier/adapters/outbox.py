"""The way of message facts to Kafka: what the relay sends, what it has sent, and whether the topic is ahead of us."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import numbered_headers
from schemas.messages import message_type
from services.notifier.adapters.gifts import ACTIVITIES_TOPIC, gifts_of, published_gifts
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

TOPIC = "messages"
SOURCE = "notifier"
POLL_SECONDS_FIRST = 0.02
POLL_SECONDS_MAX = 0.25


class FactSource:
    """Turns outbox rows into the stored bytes of message facts and gifts."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        gifts = [row for row in rows if row.topic == ACTIVITIES_TOPIC]
        steps = [row for row in rows if row.topic == TOPIC]
        found = dict(zip((row.id for row in steps), await _published_steps(connection, steps), strict=True))
        if gifts:
            given = await published_gifts(connection, [(row.key, row.ref) for row in gifts])
            found |= zip((row.id for row in gifts), given, strict=True)
        return [found[row.id] for row in rows]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        if topic == ACTIVITIES_TOPIC:
            return await gifts_of(uow.connection, key)
        await uow.connection.execute(_LOCK_STREAM, {"member_id": key})
        numbers = await uow.connection.scalars(_NUMBERS, {"member_id": key})
        return [OutboxRow(topic, key, f"{key}/{number}") for number in numbers]


@dataclass(frozen=True, slots=True)
class OutboxAcknowledgements:
    """A fact is acknowledged when its outbox row is gone: the relay deletes what the broker has committed."""

    database: Database

    async def backlog_age(self) -> timedelta:
        async with self.database.read() as connection:
            age: timedelta | None = await connection.scalar(_OLDEST)
        return age or timedelta()

    async def acknowledged(self, fact_refs: Collection[str], *, within: timedelta) -> set[str]:
        loop = asyncio.get_running_loop()
        deadline, pause_seconds = loop.time() + within.total_seconds(), POLL_SECONDS_FIRST
        while waiting := await self._waiting(fact_refs):
            if loop.time() >= deadline:
                break
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, POLL_SECONDS_MAX)
        return set(fact_refs) - waiting

    async def _waiting(self, fact_refs: Collection[str]) -> set[str]:
        async with self.database.read() as connection:
            rows = await connection.execute(_WAITING, {"topic": TOPIC, "refs": list(fact_refs)})
            return set(rows.scalars())


class MessagesTopic:
    """Guards the topic `messages`: it may hold nothing that the database lacks.

    That answers for gifts too, on a topic where others write: each is sent behind a step of its own transaction.
    """

    topics: Sequence[str] = (TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        member, number = UUID(record.key), int(record.headers["member_seq"])
        row = (await connection.execute(_EVENTS, {"members": [member], "numbers": [number]})).one_or_none()
        return row is not None and bytes(row.hash).hex() == record.headers["hash"]

    def remedy(self, topic: str) -> str:
        return "restore the newest backup of schema `notifier`: it must hold all that the topic holds"


async def _published_steps(connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> list[Message]:
    wanted = [_reference(row.ref) for row in rows]
    arguments = {"members": [member for member, _ in wanted], "numbers": [number for _, number in wanted]}
    found = {(row.member_id, row.member_seq): row for row in await connection.execute(_EVENTS, arguments)}
    return [_published(found[reference]) for reference in wanted]


def _reference(ref: str) -> tuple[UUID, int]:
    member, _, number = ref.partition("/")
    return UUID(member), int(number)


def _published(row: Row[Any]) -> Message:
    headers = numbered_headers(
        event_type=message_type(row.fate),
        member_id=str(row.member_id),
        member_seq=row.member_seq,
        source=SOURCE,
        at=row.recorded_at,
        link=bytes(row.hash),
    )
    return Message(TOPIC, str(row.member_id), bytes(row.fact), headers)


_LOCK_STREAM = text("SELECT FROM stream WHERE member_id = CAST(:member_id AS uuid) FOR UPDATE")
_NUMBERS = text("SELECT member_seq FROM message_event WHERE member_id = CAST(:member_id AS uuid) ORDER BY member_seq")
_EVENTS = text(
    "SELECT member_id, member_seq, fate, recorded_at, fact, hash FROM message_event WHERE (member_id, member_seq) IN"
    " (SELECT * FROM unnest(CAST(:members AS uuid[]), CAST(:numbers AS bigint[])))"
)
_OLDEST = text("SELECT clock_timestamp() - min(created_at) FROM outbox")
_WAITING = text("SELECT ref FROM outbox WHERE topic = :topic AND ref = ANY(CAST(:refs AS text[]))")
