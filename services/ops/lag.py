"""How far every consumer and every outbox is behind, from their own tables and the ends of the topics."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.ops.topic_table import consumed_topics
from services.runtime.errors import HaltError
from services.runtime.kafka.reader import end_offsets, read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.unit_of_work import Database

SERVICES = ("ingest", "ledger", "tiering", "notifier", "members", "programme")
RUNNING = "running"
READS_MAX = 200


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`records` not handled yet; `seconds` is the age of the oldest of them; `cause` says why a partition stands."""

    service: str
    topic: str
    partition: int
    state: str
    cause: str | None
    next_offset: int
    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """Facts decided and not yet published: with the database gone, so much would be lost."""

    service: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SetAside:
    """What waits for a person: open dead letters, and keys that are parked."""

    service: str
    dead_letters: int
    parked_keys: int


@dataclass(frozen=True, slots=True)
class Lag:
    """The whole line, at one look."""

    partitions: tuple[PartitionLag, ...]
    outboxes: tuple[OutboxLag, ...]
    set_aside: tuple[SetAside, ...]

    @property
    def records(self) -> int:
        return sum(each.records for each in self.partitions)

    @property
    def is_quiet(self) -> bool:
        return self.records == 0 and not any(each.rows for each in self.outboxes)

    @property
    def stopped(self) -> tuple[PartitionLag, ...]:
        return tuple(each for each in self.partitions if each.state == "stopped")


async def read_lag(
    database: Database, kafka: KafkaSettings, now: datetime, services: Sequence[str] = SERVICES, *, ages: bool = True
) -> Lag:
    """`database` must be able to read every service's schema; without `ages` no record is read and seconds are 0."""
    ends = {topic: await end_offsets(kafka, topic) for topic in consumed_topics(services)}
    partitions: list[PartitionLag] = []
    outboxes: list[OutboxLag] = []
    set_aside: list[SetAside] = []
    async with database.read() as connection:
        for service in services:
            rows = (await connection.execute(text(_CHECKPOINTS.format(service=service)))).all()
            outbox = (await connection.execute(text(_OUTBOX.format(service=service)))).one()
            oldest = (now - outbox.oldest).total_seconds() if outbox.oldest else 0.0
            outboxes.append(OutboxLag(service, outbox.rows, max(0.0, oldest)))
            aside = (await connection.execute(text(_SET_ASIDE.format(service=service)))).one()
            set_aside.append(SetAside(service, aside.dead_letters, aside.parked_keys))
            partitions += _of_service(service, {(row.topic, row.partition): row for row in rows}, ends)
    if ages:
        partitions = await _with_ages(kafka, partitions, now)
    return Lag(tuple(partitions), tuple(outboxes), tuple(set_aside))


def _of_service(
    service: str, rows: Mapping[tuple[str, int], Any], ends: Mapping[str, Mapping[int, int]]
) -> list[PartitionLag]:
    found = []
    for topic, names in consumed_topics((service,)).items():
        for partition, end in sorted(ends[topic].items()) if names else ():
            row = rows.get((topic, partition))
            next_offset = row.next_offset if row else 0
            state, cause = (row.state, row.cause) if row else ("unclaimed" if end else RUNNING, None)
            found.append(
                PartitionLag(service, topic, partition, state, cause, next_offset, max(0, end - next_offset), 0.0)
            )
    return found


async def _with_ages(kafka: KafkaSettings, partitions: Sequence[PartitionLag], now: datetime) -> list[PartitionLag]:
    aged = []
    for topic in {each.topic: None for each in partitions}:
        for service in {each.service: None for each in partitions if each.topic == topic}:
            mine = [each for each in partitions if (each.service, each.topic) == (service, topic)]
            oldest = await _oldest(kafka, topic, [each for each in mine if each.records])
            aged += [_aged(each, oldest.get(each.partition), now) for each in mine]
    return aged


def _aged(lag: PartitionLag, oldest: datetime | None, now: datetime) -> PartitionLag:
    return lag if oldest is None else replace(lag, seconds=max(0.0, (now - oldest).total_seconds()))


async def _oldest(kafka: KafkaSettings, topic: str, behind: Sequence[PartitionLag]) -> dict[int, datetime]:
    found: dict[int, datetime] = {}
    if not behind:
        return found
    starts = {each.partition: each.next_offset for each in behind}
    ends = {each.partition: each.next_offset + each.records for each in behind}
    reads = 0
    with suppress(HaltError):
        async for records in read_topic(kafka, topic, from_offsets=starts, to_offsets=ends, batch=1):
            found.setdefault(records[0].partition, records[0].appended_at)
            reads += 1
            # A partition that holds nothing but markers has no oldest record: it is not worth reading the others for.
            if len(found) == len(behind) or reads == READS_MAX:
                break
    return found


_CHECKPOINTS = 'SELECT topic, partition, next_offset, state, cause FROM "{service}".checkpoint'
_OUTBOX = 'SELECT count(*) AS rows, min(created_at) AS oldest FROM "{service}".outbox'
_SET_ASIDE = """
    SELECT (SELECT count(*) FROM "{service}".dead_letter WHERE state = 'open') AS dead_letters,
      (SELECT count(*) FROM "{service}".parked_key) AS parked_keys
"""
