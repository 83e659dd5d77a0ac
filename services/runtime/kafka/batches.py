"""Fetching and decoding one partition's records ahead of the transaction that will apply them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from services.runtime.errors import InvalidMessage
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.options import LoopOptions
from services.runtime.kafka.records import to_record
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.own_records import newer_release_needed
from services.runtime.ports import Record

Raw = Record[bytes | None]


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Stands in for a record whose decoding failed as it never should: the partition stops there, but for a parked
    key."""

    error: Exception


Decoded = Record[Any] | InvalidMessage | Undecodable


class CannotBeTakenApart(Exception):
    """The client fails on a record before anybody sees it: the one at `offset` if `is_exact`, else one soon behind."""

    def __init__(self, offset: int, *, is_exact: bool, cause: ValueError) -> None:
        why = f"the Kafka client cannot take it apart ({type(cause).__name__})"
        super().__init__(f"{why}: leave it out with loyalty checkpoints move")
        self.offset = offset
        self.is_exact = is_exact


@dataclass(slots=True)
class Batch:
    """Records from `start` to before `next_offset`; `raw` and `decoded` run side by side, a refusal or a failure
    standing in for what could not be read."""

    start: int
    next_offset: int
    raw: list[Raw] = field(default_factory=list)
    decoded: list[Decoded] = field(default_factory=list)

    def refuse(self, refusal: InvalidMessage) -> bool:
        """Lets the refusal stand in for its record; whether that stood here until now."""
        for number, raw in enumerate(self.raw):
            if refusal.record is not None and raw.offset == refusal.record.offset:
                stood = isinstance(self.decoded[number], Record)
                self.decoded[number] = refusal
                return stood
        return False


class Fetcher:
    """Reads one assigned, sought partition; `condemned` are the offsets whose records the handler found invalid."""

    def __init__(
        self,
        *,
        consumer: AIOKafkaConsumer,
        tp: TopicPartition,
        kafka: KafkaSettings,
        handler: Handler[Any],
        options: LoopOptions,
        condemned: Mapping[int, InvalidMessage],
    ) -> None:
        self._consumer = consumer
        self._tp = tp
        self._kafka = kafka
        self._handler = handler
        self._options = options
        self._condemned = condemned

    async def next_batch(self, start: int, records_max: int) -> Batch:
        """Waits for records up to the idle time; the batch may be empty, with its position moved over markers."""
        try:
            raws = await self._poll(records_max, self._options.idle_poll_seconds)
            if raws and records_max > 1:
                await self._gather(raws, records_max)
        except ValueError as error:
            # A header whose name is not UTF-8, say: every client may write that.
            raise CannotBeTakenApart(start, is_exact=records_max == 1, cause=error) from error
        return await self._decode(raws, start, await self._consumer.position(self._tp))

    async def _gather(self, raws: list[ConsumerRecord], records_max: int) -> None:
        closes_at = perf_counter() + self._options.batch_wait_seconds
        while len(raws) < self._options.batch_records_min and (left := closes_at - perf_counter()) > 0:
            raws.extend(await self._poll(records_max - len(raws), left))

    async def _poll(self, records_max: int, seconds: float) -> list[ConsumerRecord]:
        timeout_ms = max(1, int(seconds * 1000))
        fetched = await self._consumer.getmany(self._tp, timeout_ms=timeout_ms, max_records=records_max)
        records: list[ConsumerRecord] = fetched.get(self._tp, [])
        return records

    async def _decode(self, raws: list[ConsumerRecord], start: int, position: int) -> Batch:
        batch = Batch(start=start, next_offset=position)
        slice_began = perf_counter()
        for raw in raws:
            record = to_record(self._kafka, raw)
            batch.raw.append(record)
            batch.decoded.append(self._decode_one(record))
            if perf_counter() - slice_began > self._options.slice_seconds:
                await asyncio.sleep(0)
                slice_began = perf_counter()
        return batch

    def _decode_one(self, record: Raw) -> Decoded:
        try:
            return self._condemned.get(record.offset) or decoded(self._handler, record)
        except InvalidMessage as refusal:
            return refusal
        except Exception as error:
            return Undecodable(error)


def decoded(handler: Handler[Any], raw: Raw) -> Record[Any]:
    """The record as its handler wants it; raises what `decode` raises, and NewerReleaseNeeded.

    What came from outside is refused as InvalidMessage: a contract that is not kept is then one of our own.
    """
    try:
        value = handler.decode(raw)
    except ValidationError as error:
        raise newer_release_needed(error, f"a record of topic `{raw.topic}`") from None
    # On the way of every record: dataclasses.replace takes five times as long.
    return Record(raw.topic, raw.partition, raw.offset, raw.key, raw.headers, raw.appended_at, value)
