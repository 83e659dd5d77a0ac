"""The consumer loop: one task per assigned partition, each at its own pace, positions in the service's database."""

import asyncio
import os
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from services.runtime.errors import Transient
from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.metrics import LoopMetrics, NoMetrics
from services.runtime.kafka.options import LoopOptions
from services.runtime.kafka.partition import PartitionWorker, Surroundings
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.status import ConsumerStatus
from services.runtime.ports import Clock, Seal
from services.runtime.postgres.unit_of_work import Database

__all__ = ["ConsumerLoop", "ConsumerStatus", "LoopOptions"]

POLL_INTERVAL_MS_MAX = 24 * 3600 * 1000
METADATA_AGE_MS_MAX = 30_000
CONNECT_PAUSE_SECONDS_MAX = 10.0
GROUP_CHECK_SECONDS = 5.0

_log = structlog.get_logger("consumer")


class ConsumerLoop:
    """Consumes the logical topics of `handlers` as `group`, until stopped.

    `run` raises HaltError where a position no longer fits its topic, and any fault that no record caused.
    """

    def __init__(
        self,
        *,
        kafka: KafkaSettings,
        database: Database,
        group: str,
        handlers: Mapping[str, Handler[Any]],
        clock: Clock,
        seal: Seal,
        options: LoopOptions | None = None,
        metrics: LoopMetrics | None = None,
    ) -> None:
        self._kafka = kafka
        self._database = database
        self._group = group
        self._handlers = handlers
        self._clock = clock
        self._seal = seal
        self._options = options or LoopOptions()
        self._metrics = metrics or NoMetrics()
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._assigned = False
        self._workers: list[PartitionWorker] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Leaves the group after the running batches when `stop` is set; waits for a broker that is away."""
        attempt = 0
        while not stop.is_set():
            try:
                async with self._connected() as consumer:
                    attempt = 0
                    await self._consume(consumer, stop)
            except Transient as error:
                attempt += 1
                _log.warning("consumer_disconnected", group=self._group, cause=str(error))
                await _pause(stop, min(CONNECT_PAUSE_SECONDS_MAX, 0.2 * 2 ** min(attempt, 8)))

    def status(self) -> ConsumerStatus:
        workers = sorted((worker.status() for worker in self._workers), key=lambda told: (told.topic, told.partition))
        return ConsumerStatus(self._group, self._assigned, tuple(workers))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._kafka.client_options(),
            group_id=self._kafka.physical(self._group),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=self._options.session_timeout_ms,
            heartbeat_interval_ms=self._options.heartbeat_interval_ms,
            # The coordinator rejoins by itself, also where every partition is stopped and nothing is polled.
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            metadata_max_age_ms=METADATA_AGE_MS_MAX,
        )
        try:
            with broker_trouble_is_transient():
                await consumer.start()
            yield consumer
        finally:
            self._assigned = False
            await consumer.stop()

    async def _consume(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        turn = _Turn(self._quit_workers)
        consumer.subscribe([self._kafka.physical(topic) for topic in self._handlers], listener=turn)
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(_forward(stop, turn.changed))
            running: list[asyncio.Task[None]] = []
            while not stop.is_set() and self._fault(consumer) is None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(turn.changed.wait(), GROUP_CHECK_SECONDS)
                turn.changed.clear()
                if (assignment := turn.newly_assigned()) is not None:
                    await self._end(running)
                    # Another turn may have come while the old batches ended.
                    if turn.is_current(assignment):
                        running = self._start_workers(group, consumer, assignment, turn.changed)
            await self._end(running)
            stopping.cancel()
        fault, self._workers = self._fault(consumer), []
        if fault is not None:
            raise fault

    def _start_workers(
        self,
        group: asyncio.TaskGroup,
        consumer: AIOKafkaConsumer,
        assignment: frozenset[TopicPartition],
        changed: asyncio.Event,
    ) -> list[asyncio.Task[None]]:
        at = Surroundings(
            kafka=self._kafka,
            database=self._database,
            group=self._group,
            owner=self._owner,
            clock=self._clock,
            seal=self._seal,
            options=self._options,
            metrics=self._metrics,
            consumer=consumer,
        )
        self._assigned = True
        self._workers = []
        for tp in sorted(assignment):
            topic = self._kafka.logical(tp.topic)
            self._workers.append(PartitionWorker(at, topic, tp.partition, self._handlers[topic], changed.set))
        _log.info(
            "partitions_assigned", group=self._group, partitions=[f"{tp.topic}/{tp.partition}" for tp in assignment]
        )
        return [group.create_task(worker.run()) for worker in self._workers]

    async def _end(self, running: list[asyncio.Task[None]]) -> None:
        self._quit_workers()
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=self._options.stop_grace_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _quit_workers(self) -> None:
        for worker in self._workers:
            worker.quit()

    def _fault(self, consumer: AIOKafkaConsumer) -> Exception | None:
        return next((worker.fault for worker in self._workers if worker.fault is not None), _group_fault(consumer))


class _Turn:
    """Only marks what changed: the client swallows a listener's exceptions and waits for its awaits."""

    def __init__(self, on_revoked: Callable[[], None]) -> None:
        self._on_revoked = on_revoked
        self._current: frozenset[TopicPartition] | None = None
        self._is_new = False
        self.changed = asyncio.Event()

    def newly_assigned(self) -> frozenset[TopicPartition] | None:
        if not self._is_new:
            return None
        self._is_new = False
        return self._current

    def is_current(self, assignment: frozenset[TopicPartition]) -> bool:
        return self._current is assignment

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._current, self._is_new = None, False
        self._on_revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._current, self._is_new = frozenset(assigned), True
        self.changed.set()


ConsumerRebalanceListener.register(_Turn)


def _group_fault(consumer: AIOKafkaConsumer) -> Exception | None:
    # The client tells what ended its membership only to whoever polls; without an assignment nobody does.
    try:
        with broker_trouble_is_transient():
            consumer._coordinator.check_errors()
    except Exception as error:
        return error
    return None


async def _forward(stop: asyncio.Event, changed: asyncio.Event) -> None:
    await stop.wait()
    changed.set()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds * random.uniform(0.5, 1.0))
