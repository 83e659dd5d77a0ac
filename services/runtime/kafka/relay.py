"""From the outbox to Kafka: one batch, one Kafka transaction, in the order of the rows."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import structlog
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.errors import Transient
from services.runtime.kafka.causes import describe
from services.runtime.kafka.faults import broker_trouble_is_transient, is_broker_trouble
from services.runtime.kafka.metrics import NoMetrics, RelayMetrics
from services.runtime.kafka.producer import BATCH_BYTES_MAX, close_producer, send_in_batches
from services.runtime.kafka.resending import is_marked, marked, plain
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Clock, Message
from services.runtime.postgres.faults import is_transient
from services.runtime.postgres.unit_of_work import Database

_log = structlog.get_logger("relay")


@dataclass(frozen=True, slots=True)
class StoredOutboxRow:
    """A row as the relay reads it; ids order the rows of one key, nothing else."""

    id: int
    topic: str
    key: str
    ref: str


class OutboxSource(Protocol):
    """The service's way from pointers to the stored bytes of its facts."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        """One message per row, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """`shards` is how many relays share the outbox, by hash of the key; the lease outlives the Kafka transaction."""

    shards: int = 1
    batch_rows_max: int = 2_000
    transaction_timeout_seconds: float = 10.0
    lease_seconds: float = 15.0
    idle_pause_seconds_min: float = 0.02
    idle_pause_seconds_max: float = 0.05
    lease_pause_seconds: float = 1.0
    backoff_seconds_min: float = 0.1
    backoff_seconds_max: float = 10.0


class Relay:
    """Publishes a service's outbox. Starting its producer fences every earlier relay of the same shard at the broker;
    a reader may see one whole batch twice, and never another order."""

    def __init__(
        self,
        *,
        service: str,
        kafka: KafkaSettings,
        database: Database,
        source: OutboxSource,
        clock: Clock,
        shard: int = 0,
        options: RelayOptions | None = None,
        metrics: RelayMetrics | None = None,
    ) -> None:
        self._service = service
        self._kafka = kafka
        self._database = database
        self._source = source
        self._clock = clock
        self._shard = shard
        self._options = options or RelayOptions()
        self._metrics = metrics or NoMetrics()
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._failures = 0
        self._renew_lease_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Ends after the running batch when `stop` is set; errors of broker and database are waited out."""
        while not stop.is_set():
            try:
                if await self._hold_lease():
                    await self._publish_while_leased(stop)
                else:
                    await _pause(stop, self._options.lease_pause_seconds)
            except Exception as error:
                self._renew_lease_at = 0.0
                if not (isinstance(error, Transient) or is_broker_trouble(error) or is_transient(error)):
                    raise
                await self._back_off(stop, error)
        with suppress(Transient, SQLAlchemyError, OSError):
            await self._give_up_lease()

    async def _publish_while_leased(self, stop: asyncio.Event) -> None:
        async with self._producer() as producer:
            _log.info("relay_started", service=self._service, shard=self._shard)
            idle = self._options.idle_pause_seconds_min
            while not stop.is_set() and await self._hold_lease():
                if await self._publish_batch(producer):
                    idle = self._options.idle_pause_seconds_min
                    continue
                await asyncio.sleep(idle)
                idle = min(self._options.idle_pause_seconds_max, idle * 1.5)

    async def _publish_batch(self, producer: AIOKafkaProducer) -> bool:
        began = perf_counter()
        async with self._database.read() as connection:
            rows = await self._lowest_rows(connection)
            messages = await self._resolved(connection, rows) if rows else []
        if not rows:
            return False
        await self._send_in_transaction(producer, messages)
        await self._delete(rows)
        self._failures = 0
        self._metrics.published(messages=len(rows), seconds=perf_counter() - began)
        return True

    async def _resolved(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> list[Message]:
        # Every fact passes here on its first way out: a row is copied only where its pointer is marked.
        plain_rows = [replace(row, ref=plain(row.ref)) if is_marked(row.ref) else row for row in rows]
        messages = await self._source.resolve(connection, plain_rows)
        return [marked(message, row.ref) for message, row in zip(messages, rows, strict=True)]

    async def _lowest_rows(self, connection: AsyncConnection) -> list[StoredOutboxRow]:
        parameters = {"shards": self._options.shards, "shard": self._shard, "most": self._options.batch_rows_max}
        found = (await connection.execute(_LOWEST_ROWS, parameters)).all()
        age_seconds = (self._clock() - found[0].created_at).total_seconds() if found else 0.0
        self._metrics.outbox_age(seconds=max(0.0, age_seconds))
        return [StoredOutboxRow(row.id, row.topic, row.key, row.ref) for row in found]

    async def _send_in_transaction(self, producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
        # The client retries for ever by itself; past this the broker has aborted the transaction anyway.
        async with asyncio.timeout(self._options.transaction_timeout_seconds):
            await producer.begin_transaction()
            await send_in_batches(producer, self._kafka, messages, self._options.transaction_timeout_seconds)
            await producer.commit_transaction()

    async def _delete(self, rows: Sequence[StoredOutboxRow]) -> None:
        async with self._database.begin() as uow:
            await uow.connection.execute(_DELETE_ROWS, {"ids": [row.id for row in rows]})

    def _producer(self) -> AbstractAsyncContextManager[AIOKafkaProducer]:
        return _relay_producer(
            self._kafka, self._service, self._shard, timeout_seconds=self._options.transaction_timeout_seconds
        )

    async def _hold_lease(self) -> bool:
        # The broker's fence is what keeps the order; the row needs no write at every poll.
        if perf_counter() < self._renew_lease_at:
            return True
        asked_at = perf_counter()
        parameters = {"shard": self._shard, "owner": self._owner, "seconds": self._options.lease_seconds}
        async with self._database.begin() as uow:
            held = await uow.connection.scalar(_HOLD_LEASE, parameters)
        self._renew_lease_at = asked_at + self._options.lease_seconds / 3 if held is not None else 0.0
        return held is not None

    async def _give_up_lease(self) -> None:
        async with self._database.begin() as uow:
            await uow.connection.execute(_GIVE_UP_LEASE, {"shard": self._shard, "owner": self._owner})

    async def _back_off(self, stop: asyncio.Event, error: Exception) -> None:
        self._failures += 1
        self._metrics.failed()
        _log.warning("relay_interrupted", service=self._service, shard=self._shard, cause=describe(error))
        seconds = self._options.backoff_seconds_min * 2 ** min(self._failures, 16)
        await _pause(stop, min(self._options.backoff_seconds_max, seconds))


async def fence_relays(kafka: KafkaSettings, service: str, shards: int) -> None:
    """From here on no relay that runs already can commit what it holds; Transient where the broker does not answer.

    One that starts its producer anew is not kept from it: look at the ends of the topic again afterwards.
    """
    timeout_seconds = RelayOptions().transaction_timeout_seconds
    for shard in range(shards):
        with broker_trouble_is_transient():
            async with _relay_producer(kafka, service, shard, timeout_seconds=timeout_seconds):
                continue


@asynccontextmanager
async def _relay_producer(
    kafka: KafkaSettings, service: str, shard: int, *, timeout_seconds: float
) -> AsyncIterator[AIOKafkaProducer]:
    """Started: every earlier producer of the same service and shard is fenced."""
    producer = AIOKafkaProducer(
        **kafka.client_options(),
        transactional_id=kafka.physical(f"{service}.relay.{shard}"),
        transaction_timeout_ms=int(timeout_seconds * 1000),
        enable_idempotence=True,
        acks="all",
        max_batch_size=BATCH_BYTES_MAX,
        compression_type="zstd",
    )
    try:
        await asyncio.wait_for(producer.start(), timeout_seconds)
        yield producer
    finally:
        # What is open is aborted at the broker by the next producer of this name, or by its time-out.
        await close_producer(producer)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds * random.uniform(0.5, 1.0))


_LOWEST_ROWS = text("""
    SELECT id, topic, key, ref, created_at FROM outbox
    WHERE :shards = 1 OR mod(hashtextextended(key, 0) & 2147483647, :shards) = :shard
    ORDER BY id LIMIT :most
""")

_DELETE_ROWS = text("DELETE FROM outbox WHERE id = ANY(:ids)")

_HOLD_LEASE = text("""
    INSERT INTO relay_lease (shard, owner, expires_at)
    VALUES (:shard, :owner, clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (shard) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
    WHERE relay_lease.owner = excluded.owner OR relay_lease.expires_at < clock_timestamp()
    RETURNING shard
""")

_GIVE_UP_LEASE = text("DELETE FROM relay_lease WHERE shard = :shard AND owner = :owner")
