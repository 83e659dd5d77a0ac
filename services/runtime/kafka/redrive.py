"""What was set aside, handled again by the service's own handlers; any process may do it beside the running ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Row, text

from services.runtime.errors import InvalidMessage, Transient
from services.runtime.kafka import checkpoints
from services.runtime.kafka.batches import Raw, with_value
from services.runtime.kafka.causes import describe
from services.runtime.kafka.dead_letters import add_dead_letters, dead_letter_context, parked_context
from services.runtime.kafka.handler import Handler
from services.runtime.ports import Record, Seal, SourcePosition
from services.runtime.postgres.faults import is_transient
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from services.runtime.seal import UnsealError

APPLY_AT_ONCE = 100


class CannotRedrive(Exception):
    """Nothing to handle, or nobody to handle it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something stays aside; `later`: not its own fault, and everything else would meet the same now."""

    cause: str
    later: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """What became of a parked key: it is released unless `refusal` says why records were `left`."""

    topic: str
    key: str
    applied: int
    dead_lettered: int
    left: int
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    applied: int
    dead_lettered: int
    left: int


class Redriver:
    """Keeps each record's first position and time, so that its facts name where they came from.

    UnsealError where the seal key is not the one; errors of the database that do not pass are raised.
    """

    def __init__(
        self, *, service: str, database: Database, handlers: Mapping[str, Handler[Any]], seal: Seal, by: str
    ) -> None:
        self._service = service
        self._database = database
        self._handlers = handlers
        self._seal = seal
        self._by = by

    async def letter(self, letter_id: int) -> Refusal | None:
        """Handles one dead letter and marks it, in one transaction; it stays open where that fails."""
        try:
            await self._database.run(partial(self._handle_letter, letter_id))
        except Exception as error:
            return _refusal(error)
        return None

    async def key(self, topic: str, key: str) -> Release:
        """Handles the records of a parked key in their order and releases it behind the last one. Where one fails,
        those before it are committed."""
        applied = dead_lettered = 0
        at_once, condemned = APPLY_AT_ONCE, dict[SourcePosition, InvalidMessage]()
        while True:
            try:
                step = await self._database.run(partial(self._handle_next, topic, key, at_once, condemned))
            except Exception as error:
                if isinstance(error, InvalidMessage) and error.record and error.record.position not in condemned:
                    condemned[error.record.position] = error
                    continue
                refusal = _refusal(error)
                if at_once == 1 or refusal.later:
                    return Release(topic, key, applied, dead_lettered, await self._left(topic, key), refusal)
                # Again one by one, so that what stands before the failing record is committed.
                at_once = 1
                continue
            applied, dead_lettered = applied + step.applied, dead_lettered + step.dead_lettered
            if not step.left:
                return Release(topic, key, applied, dead_lettered, 0)

    async def _handle_letter(self, letter_id: int, uow: UnitOfWork) -> None:
        row = (await uow.connection.execute(_TAKE_LETTER, {"id": letter_id})).one_or_none()
        if row is None:
            raise CannotRedrive("there is no such dead letter")
        if row.state != "open":
            raise CannotRedrive(f"it was {row.state} by {row.decided_by}")
        record, handler = self._record(row, dead_letter_context(_position(row))), self._handler(row.topic)
        await handler.handle(uow, [with_value(record, handler.decode(record))])
        await uow.connection.execute(_REDRIVEN, {"id": letter_id, "by": self._by})

    async def _handle_next(
        self, topic: str, key: str, at_once: int, condemned: Mapping[SourcePosition, InvalidMessage], uow: UnitOfWork
    ) -> _Step:
        handler, of = self._handler(topic), {"consumer": self._service, "topic": topic, "key": key}
        # No consumer can pass a later record of the key between the last one here and its release.
        await checkpoints.lock_topic(uow, self._service, topic)
        rows = (await uow.connection.execute(_NEXT_PARKED, of | {"most": at_once})).all()
        good: list[Record[Any]] = []
        refused: list[tuple[Raw, InvalidMessage]] = []
        for record in (self._record(row, parked_context(_position(row))) for row in rows):
            decoded = condemned.get(record.position) or _decoded(handler, record)
            if isinstance(decoded, InvalidMessage):
                refused.append((record, decoded))
            else:
                good.append(decoded)
        await add_dead_letters(uow, self._service, self._seal, refused)
        if good:
            await handler.handle(uow, good)
        if rows:
            last = {"partition": rows[-1].partition, "last": rows[-1].offset}
            await uow.connection.execute(_DROP_PARKED, of | last)
        left = int(await uow.connection.scalar(_LEFT, of) or 0)
        if not left:
            await uow.connection.execute(_RELEASE, of)
        return _Step(len(good), len(refused), left)

    async def _left(self, topic: str, key: str) -> int:
        async with self._database.read() as connection:
            left = await connection.scalar(_LEFT, {"consumer": self._service, "topic": topic, "key": key})
        return int(left or 0)

    def _handler(self, topic: str) -> Handler[Any]:
        if topic not in self._handlers:
            raise CannotRedrive(f"{self._service} no longer reads {topic}")
        return self._handlers[topic]

    def _record(self, row: Row[Any], context: bytes) -> Raw:
        value = None if row.sealed is None else self._seal.open(row.sealed, context)
        return Record(row.topic, row.partition, row.offset, row.key, row.headers, row.appended_at, value)


def _decoded(handler: Handler[Any], record: Raw) -> Record[Any] | InvalidMessage:
    try:
        return with_value(record, handler.decode(record))
    except InvalidMessage as refusal:
        return refusal


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, UnsealError) or is_transient(error):
        raise error
    if isinstance(error, InvalidMessage | CannotRedrive):
        return Refusal(str(error))
    return Refusal(describe(error), later=isinstance(error, Transient))


def _position(row: Row[Any]) -> SourcePosition:
    return SourcePosition(row.topic, row.partition, row.offset)


_TAKE_LETTER = text("""
    SELECT topic, partition, "offset", key, sealed, headers, appended_at, state, decided_by
    FROM dead_letter WHERE id = :id FOR UPDATE
""")

# What may name a person is kept for as long as it is needed.
_REDRIVEN = text("""
    UPDATE dead_letter SET state = 'redriven', decided_by = :by, decided_at = clock_timestamp(), sealed = NULL
    WHERE id = :id
""")

# A batch is of one partition: only there do records of a key have an order.
_NEXT_PARKED = text("""
    SELECT topic, partition, "offset", key, sealed, headers, appended_at FROM parked
    WHERE consumer = :consumer AND topic = :topic AND key = :key AND partition = (
      SELECT min(partition) FROM parked WHERE consumer = :consumer AND topic = :topic AND key = :key
    )
    ORDER BY "offset" LIMIT :most
""")

_DROP_PARKED = text("""
    DELETE FROM parked
    WHERE consumer = :consumer AND topic = :topic AND key = :key AND partition = :partition AND "offset" <= :last
""")

_LEFT = text("SELECT count(*) FROM parked WHERE consumer = :consumer AND topic = :topic AND key = :key")

_RELEASE = text("DELETE FROM parked_key WHERE consumer = :consumer AND topic = :topic AND key = :key")
