"""The position of a consumer, kept in its own database beside what it produced."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.errors import Fenced
from services.runtime.kafka.metrics import PartitionState
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

CAUSE_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class PartitionId:
    """One partition as one consumer sees it; `topic` is the logical name."""

    consumer: str
    topic: str
    partition: int

    def parameters(self) -> dict[str, Any]:
        return {"consumer": self.consumer, "topic": self.topic, "partition": self.partition}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The position as its owner holds it; `epoch` is what fences every earlier owner."""

    epoch: int
    next_offset: int
    last_offset: int | None
    last_id: str | None
    unreadable_run: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Advance:
    """Where a batch has come to; `last_offset` and `last_id` are None where it held no record."""

    next_offset: int
    last_offset: int | None
    last_id: str | None
    unreadable_run: frozenset[str]


async def take(database: Database, of: PartitionId, *, owner: str, begin_offset: int) -> Checkpoint:
    """Makes the caller the owner; the first one ever begins at `begin_offset`."""

    async def work(uow: UnitOfWork) -> Checkpoint:
        await uow.connection.execute(_INSERT_FIRST, of.parameters() | {"begin": begin_offset})
        row = (await uow.connection.execute(_TAKE, of.parameters() | {"owner": owner})).one()
        return Checkpoint(row.epoch, row.next_offset, row.last_offset, row.last_id, frozenset(row.unreadable_run))

    return await database.run(work)


async def lock(uow: UnitOfWork, of: PartitionId, *, epoch: int, expected_offset: int) -> bool:
    """Holds the row to the end of the transaction; Fenced where another owner took it. Answers whether any key of
    the topic is parked."""
    parameters = of.parameters() | {"epoch": epoch, "expected": expected_offset}
    row = (await uow.connection.execute(_LOCK, parameters)).one_or_none()
    if row is None:
        raise Fenced(f"{of.topic}/{of.partition} is no longer held with epoch {epoch} at {expected_offset}")
    return bool(row.any_parked)


async def advance(uow: UnitOfWork, of: PartitionId, to: Advance) -> None:
    await uow.connection.execute(
        _ADVANCE,
        of.parameters()
        | {
            "next_offset": to.next_offset,
            "last_offset": to.last_offset,
            "last_id": to.last_id,
            "run": sorted(to.unreadable_run),
        },
    )


async def move(uow: UnitOfWork, of: PartitionId, *, to_offset: int) -> int | None:
    """By hand: who holds the partition is fenced and goes on from there. Answers the old offset, None for no row."""
    was = await locked_position(uow, of)
    if was is not None:
        await uow.connection.execute(_MOVE, of.parameters() | {"to": to_offset})
    return was


async def locked_position(uow: UnitOfWork, of: PartitionId) -> int | None:
    """The next offset, which stays as it is to the end of the transaction; None for no row."""
    offset: int | None = await uow.connection.scalar(_LOOK, of.parameters())
    return offset


async def lock_topic(uow: UnitOfWork, consumer: str, topic: str) -> None:
    """Holds every partition of the topic back to the end of the transaction, whoever owns it."""
    await uow.connection.execute(_LOCK_TOPIC, {"consumer": consumer, "topic": topic})


async def call_back(uow: UnitOfWork, of: PartitionId) -> None:
    """By hand: who holds the partition, or stands still on it, reads its position again, with a fresh count of
    unreadable keys."""
    await uow.connection.execute(_CALL_BACK, of.parameters())


async def was_touched(database: Database, of: PartitionId, *, epoch: int, owner: str) -> bool:
    """Whether a person has moved the position or called it back since `owner` took it; not whether another owner
    has."""
    async with database.read() as connection:
        return bool(await connection.scalar(_TOUCHED, of.parameters() | {"epoch": epoch, "owner": owner}))


async def positions(connection: AsyncConnection, consumer: str) -> list[PartitionId]:
    """Every partition in which the consumer has a position."""
    rows = await connection.execute(_POSITIONS, {"consumer": consumer})
    return [PartitionId(consumer, row.topic, row.partition) for row in rows]


async def note_state(
    database: Database, of: PartitionId, *, epoch: int, state: PartitionState, cause: str | None
) -> None:
    """For people who look at the lag; a later owner's row is left alone."""
    async with database.begin() as uow:
        cut = cause and cause[:CAUSE_CHARACTERS_MAX]
        await uow.connection.execute(_NOTE, of.parameters() | {"epoch": epoch, "state": state, "cause": cut})


_INSERT_FIRST = text("""
    INSERT INTO checkpoint (consumer, topic, partition, next_offset)
    VALUES (:consumer, :topic, :partition, :begin)
    ON CONFLICT DO NOTHING
""")

# State and cause stay as they are until something has gone through.
_TAKE = text("""
    UPDATE checkpoint SET
      epoch = epoch + 1, owner = :owner, updated_at = clock_timestamp()
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition
    RETURNING epoch, next_offset, last_offset, last_id, unreadable_run
""")

_LOCK = text("""
    SELECT EXISTS (SELECT FROM parked_key k WHERE k.consumer = c.consumer AND k.topic = c.topic) AS any_parked
    FROM checkpoint c
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition
      AND epoch = :epoch AND next_offset = :expected
    FOR UPDATE OF c
""")

_POSITIONS = text("""
    SELECT topic, partition FROM checkpoint WHERE consumer = :consumer ORDER BY topic, partition
""")

_LOOK = text("""
    SELECT next_offset FROM checkpoint
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition FOR UPDATE
""")

_LOCK_TOPIC = text("""
    SELECT partition FROM checkpoint WHERE consumer = :consumer AND topic = :topic ORDER BY partition FOR UPDATE
""")

# State and cause stay, as with a new owner.
_CALL_BACK = text("""
    UPDATE checkpoint SET epoch = epoch + 1, unreadable_run = '{}'
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition
""")

_TOUCHED = text("""
    SELECT EXISTS (
      SELECT FROM checkpoint
      WHERE consumer = :consumer AND topic = :topic AND partition = :partition AND epoch > :epoch AND owner = :owner
    )
""")

# The last record is forgotten: it stands behind the new position, or is no longer kept.
_MOVE = text("""
    UPDATE checkpoint SET
      epoch = epoch + 1, next_offset = :to, last_offset = NULL, last_id = NULL, unreadable_run = '{}',
      state = 'running', cause = NULL, updated_at = clock_timestamp()
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition
""")

_ADVANCE = text("""
    UPDATE checkpoint SET
      next_offset = :next_offset, unreadable_run = :run,
      last_offset = coalesce(:last_offset, last_offset), last_id = coalesce(:last_id, last_id),
      state = 'running', cause = NULL, updated_at = clock_timestamp()
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition
""")

_NOTE = text("""
    UPDATE checkpoint SET state = :state, cause = :cause, updated_at = clock_timestamp()
    WHERE consumer = :consumer AND topic = :topic AND partition = :partition AND epoch = :epoch
""")
