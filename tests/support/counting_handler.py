"""The smallest service: a schema `counting`, a handler that writes one row per record, and its outbox.

A record's value steers the handler: `poison` cannot be read, `broken` fails in decoding as it never should, `trip`
fails an assertion, `refuse` is found invalid while it is handled, `wait` needs `ready`. No row is unique: what is
applied twice is seen twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.runtime.errors import InvalidMessage, NotReady
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.ddl import RUNTIME_TABLES, statements
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

SCHEMA = "counting"
GROUP = "counting"
INPUT = "input"
OUTPUT = "output"

_TABLES = """
CREATE TABLE counted (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ce_id text NOT NULL,
  key text,
  partition integer NOT NULL,
  "offset" bigint NOT NULL
)
"""


class CountingHandler:
    """Writes rows by COPY and, with `relaying`, an outbox row for each."""

    def __init__(self, *, relaying: bool = False) -> None:
        self.ready = False
        self.caught_up_at: list[datetime] = []
        self._relaying = relaying

    def decode(self, record: Record[bytes | None]) -> str:
        word = (record.value or b"").decode()
        if word == "poison":
            raise InvalidMessage("unreadable", "not a word that counts", "/word", event_ref="known")
        if word == "broken":
            raise KeyError(word)
        return word

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[str]]) -> None:
        for record in records:
            assert record.value != "trip", f"tripped at {record.offset}"
            if record.value == "refuse":
                raise InvalidMessage("refused", "not wanted", record=record)
            if record.value == "wait" and not self.ready:
                raise NotReady("nobody has said when")
        await self.write(uow, records)

    async def write(self, uow: UnitOfWork, records: Sequence[Record[str]]) -> None:
        driver = await uow.driver()
        rows = [(each.headers["ce_id"], each.key, each.partition, each.offset) for each in records]
        await driver.copy_records_to_table("counted", records=rows, columns=("ce_id", "key", "partition", "offset"))
        if self._relaying:
            await uow.add_outbox(OutboxRow(OUTPUT, each.key or "", each.headers["ce_id"]) for each in records)


class MendedHandler(CountingHandler):
    """The handler after the repair: nothing stops it."""

    def decode(self, record: Record[bytes | None]) -> str:
        return "count"


class ConfirmingHandler(CountingHandler):
    """Also notes when it was told that it is caught up."""

    async def caught_up(self, uow: UnitOfWork, partition: int, checked_at: datetime, *, any_parked: bool) -> None:
        if not any_parked:
            self.caught_up_at.append(checked_at)


class CountingSource:
    """The pointer is the message."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        return [Message(row.topic, row.key, row.ref.encode(), {"ce_id": row.ref}) for row in rows]


class CountingOwner:
    """Owns the output topic; knows what it has counted."""

    topics = (OUTPUT,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        found: Any = await connection.scalar(
            text("SELECT EXISTS (SELECT FROM counted WHERE ce_id = :id)"), {"id": record.headers["ce_id"]}
        )
        return bool(found)

    def remedy(self, topic: str) -> str:
        return f"loyalty rebuild counting --from topic ({topic})"


async def create_schema(url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        await connection.execute(text(f"SET LOCAL search_path = {SCHEMA}"))
        for statement in statements(RUNTIME_TABLES) + statements(_TABLES):
            await connection.execute(text(statement))
    await engine.dispose()


def open_database(url: str) -> Database:
    return Database(create_engine(url, role=None, schema=SCHEMA))


def utc_now() -> datetime:
    return datetime.now(UTC)


class PlainSeal:
    """Visibly changes the bytes, so that a test can tell sealed from clear."""

    def seal(self, data: bytes, context: bytes) -> bytes:
        return b"sealed:" + context + b":" + data[::-1]

    def open(self, sealed: bytes, context: bytes) -> bytes:
        assert sealed.startswith(b"sealed:" + context + b":")
        return sealed.removeprefix(b"sealed:" + context + b":")[::-1]
