"""One assigned partition: take the checkpoint, apply batches one after the other, decide what a failure means."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.errors import Fenced, HaltError, InvalidMessage, NotReady, Transient
from services.runtime.kafka import checkpoints
from services.runtime.kafka.applier import Applied, Applier
from services.runtime.kafka.batches import Batch, CannotBeTakenApart, Fetcher
from services.runtime.kafka.causes import describe
from services.runtime.kafka.checkpoints import Checkpoint, PartitionId
from services.runtime.kafka.faults import is_broker_trouble
from services.runtime.kafka.handler import CaughtUp, Handler
from services.runtime.kafka.metrics import LoopMetrics
from services.runtime.kafka.options import LoopOptions
from services.runtime.kafka.position import begin_offset, check_last_record, check_range, end_offset
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.status import PartitionStatus
from services.runtime.kafka.watch import PartitionWatch, WaitingFor
from services.runtime.ports import Clock, Seal
from services.runtime.postgres.faults import is_transient
from services.runtime.postgres.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of one consumer share."""

    kafka: KafkaSettings
    database: Database
    group: str
    owner: str
    clock: Clock
    seal: Seal
    options: LoopOptions
    metrics: LoopMetrics
    consumer: AIOKafkaConsumer


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that ended; `batch` is the one being applied, None outside of any record."""

    error: Exception
    batch: Batch | None = None


# None ends the line: the feeder was told to stop.
Ahead: TypeAlias = "asyncio.Queue[Batch | Exception | None]"


class PartitionWorker:
    """Runs until `quit`; `fault` then holds an error that no record caused, if one ended it."""

    def __init__(
        self, at: Surroundings, topic: str, partition: int, handler: Handler[Any], on_fault: Callable[[], None]
    ):
        self._at = at
        self._of = PartitionId(at.group, topic, partition)
        self._tp = TopicPartition(at.kafka.physical(topic), partition)
        self._handler = handler
        self._on_fault = on_fault
        self._applier = Applier(
            database=at.database,
            of=self._of,
            handler=handler,
            seal=at.seal,
            unreadable_keys_max=at.options.unreadable_keys_max,
        )
        self._quitting = asyncio.Event()
        self._feeder: asyncio.Task[None] | None = None
        self._condemned: dict[int, InvalidMessage] = {}
        self._careful_until = 0
        self._failures = 0
        self._epoch = 0
        self._position_checked = False
        self._watch = PartitionWatch(at.database, self._of, at.clock, at.metrics)
        self._probe = _EndProbe(at.options.caught_up_interval_seconds)
        self.fault: Exception | None = None

    def quit(self) -> None:
        """The running batch is finished, nothing new begun."""
        self._quitting.set()
        if self._feeder is not None:
            self._feeder.cancel()

    def status(self) -> PartitionStatus:
        return self._watch.status()

    async def run(self) -> None:
        try:
            while not self._quitting.is_set():
                failure = await self._attempt()
                if failure is not None and not self._quitting.is_set():
                    await self._decide_fate(failure)
        except Exception as error:
            self.fault = error
            self._on_fault()

    async def _attempt(self) -> Failure | None:
        try:
            held = await self._take()
        except Exception as error:
            return Failure(error)
        ahead: Ahead = asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as group:
            self._feeder = group.create_task(self._feed(ahead, held.next_offset))
            failure = await self._drain(ahead, held)
            self._feeder.cancel()
        return failure

    async def _take(self) -> Checkpoint:
        at = self._at
        begin = await begin_offset(at.consumer, self._tp)
        held = await checkpoints.take(at.database, self._of, owner=at.owner, begin_offset=begin)
        self._refuse_an_older_row(held)
        self._epoch = held.epoch
        await check_range(at.consumer, self._tp, self._of, held, begin)
        if not self._position_checked:
            await check_last_record(at.consumer, self._tp, at.kafka, held, begin)
            self._position_checked = True
        at.consumer.seek(self._tp, held.next_offset)
        return held

    def _refuse_an_older_row(self, held: Checkpoint) -> None:
        # Epochs only grow. Going on from such a row would decide once more what other tables no longer know either.
        if held.epoch <= self._epoch:
            raise HaltError(
                f"the checkpoint of `{self._of.topic}` partition {self._of.partition} is not the one it was",
                "this database was emptied or restored under the running service, which looks at its topics again",
            )

    async def _feed(self, ahead: Ahead, start: int) -> None:
        fetcher = Fetcher(
            consumer=self._at.consumer,
            tp=self._tp,
            kafka=self._at.kafka,
            handler=self._handler,
            options=self._at.options,
            condemned=self._condemned,
        )
        try:
            while True:
                records_max = 1 if start < self._careful_until else self._at.options.batch_records_max
                batch = await fetcher.next_batch(start, records_max)
                await ahead.put(batch)
                start = batch.next_offset
        except Exception as error:
            await ahead.put(error)
        finally:
            with contextlib.suppress(asyncio.QueueFull):
                ahead.put_nowait(None)

    async def _drain(self, ahead: Ahead, held: Checkpoint) -> Failure | None:
        while not self._quitting.is_set():
            batch = await ahead.get()
            if batch is None:
                return None
            if isinstance(batch, Exception):
                return Failure(batch)
            try:
                applied = await self._apply(held, batch)
                held = applied.held
                await self._tell_caught_up(held)
            except Exception as error:
                return Failure(error, batch)
            if applied.broken is not None:
                record, broken_by = applied.broken
                return Failure(broken_by, Batch(record.offset, record.offset + 1, [record], [record]))
        return None

    async def _apply(self, held: Checkpoint, batch: Batch) -> Applied:
        self._watch.begin_batch(batch)
        began = perf_counter()
        applied = await self._applier.apply(held, batch)
        self._failures = 0
        for offset in [offset for offset in self._condemned if offset < applied.held.next_offset]:
            del self._condemned[offset]
        end = self._at.consumer.last_stable_offset(self._tp)
        self._watch.end_batch(batch, applied, seconds=perf_counter() - began, end_offset=end)
        await self._watch.running(self._epoch, noted=applied.held.next_offset != held.next_offset)
        return applied

    async def _tell_caught_up(self, held: Checkpoint) -> None:
        handler = self._handler
        if not isinstance(handler, CaughtUp):
            return
        if self._probe.is_due():
            asked_at = self._at.clock()
            self._probe.ask(asked_at, await end_offset(self._at.consumer, self._tp))
        if self._probe.is_reached(held.next_offset):
            await self._applier.caught_up(handler, held, self._probe.asked_at)
            self._probe.done()

    async def _decide_fate(self, failure: Failure) -> None:
        options, error = self._at.options, failure.error
        match error:
            case HaltError():
                raise error
            case InvalidMessage() if (offset := _refused_offset(error, failure.batch)) is not None:
                await self._condemn(offset, error)
            case CannotBeTakenApart() if error.is_exact:
                await self._stand_still(error.offset, error)
            case CannotBeTakenApart():
                self._careful_until = error.offset + options.batch_records_max
            case NotReady():
                await self._wait("not_ready", error, options.not_ready_pause_seconds)
            case Fenced():
                pause = self._growing(options.fenced_pause_seconds_min, options.fenced_pause_seconds_max)
                await self._wait("fenced", error, pause)
            case _ if isinstance(error, Transient) or is_transient(error) or is_broker_trouble(error):
                pause = self._growing(options.backoff_seconds_min, options.backoff_seconds_max)
                await self._wait("transient", error, pause)
            case _ if failure.batch is None:
                raise error
            case _ if len(failure.batch.raw) > 1:
                # Again one by one: what stands before the failing record is committed, and the record gets a name.
                self._careful_until = failure.batch.next_offset
            case _:
                await self._stand_still(failure.batch.start, error)

    async def _condemn(self, offset: int, refusal: InvalidMessage) -> None:
        if offset in self._condemned:
            await self._stand_still(offset, refusal)
        else:
            self._condemned[offset] = refusal

    async def _wait(self, outcome: WaitingFor, error: Exception, seconds: float) -> None:
        await self._watch.waiting(self._epoch, outcome, describe(error))
        await self._sleep(seconds)

    async def _stand_still(self, offset: int, error: Exception) -> None:
        await self._watch.stopped(self._epoch, f"offset {offset}: {describe(error)}")
        while not self._quitting.is_set():
            await self._sleep(self._at.options.stopped_lag_interval_seconds)
            if await self._is_released():
                return
            with contextlib.suppress(Transient):
                self._watch.left_behind(offset, await end_offset(self._at.consumer, self._tp))

    async def _is_released(self) -> bool:
        try:
            return await checkpoints.was_touched(self._at.database, self._of, epoch=self._epoch, owner=self._at.owner)
        except Exception as error:
            if is_transient(error):
                return False
            raise

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quitting.wait(), seconds)

    def _growing(self, seconds_min: float, seconds_max: float) -> float:
        seconds = min(seconds_max, seconds_min * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return seconds * random.uniform(0.5, 1.0)


def _refused_offset(refusal: InvalidMessage, batch: Batch | None) -> int | None:
    if refusal.record is not None:
        return refusal.record.offset
    return batch.raw[0].offset if batch is not None and len(batch.raw) == 1 else None


class _EndProbe:
    """Asks now and then where the partition ends, and knows when that end has been reached."""

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._next_at = 0.0
        self._end: int | None = None
        self.asked_at = datetime.min.replace(tzinfo=UTC)

    def is_due(self) -> bool:
        return self._end is None and perf_counter() >= self._next_at

    def ask(self, asked_at: datetime, end: int) -> None:
        self.asked_at, self._end = asked_at, end

    def is_reached(self, next_offset: int) -> bool:
        return self._end is not None and next_offset >= self._end

    def done(self) -> None:
        self._end, self._next_at = None, perf_counter() + self._interval_seconds
