"""Reading topics without a group: for rebuilds, guards and tools. Committed records only."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.errors import NotReady, Transient
from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.records import to_record
from services.runtime.kafka.resending import is_resent
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record

POLL_MS = 500
# A fetch answers within its half second; this long without progress means that the broker is away.
SILENT_POLLS_MAX = 60

Offsets = Mapping[int, int]


async def read_topic(
    kafka: KafkaSettings,
    topic: str,
    *,
    from_offsets: Offsets | None = None,
    to_offsets: Offsets | None = None,
    batch: int = 2_000,
) -> AsyncIterator[Sequence[Record[bytes | None]]]:
    """Batches of one partition each, in offset order, up to the ends asked for at the start (or `to_offsets`).

    Partitions missing from `from_offsets` begin at their beginning; those missing from a given `to_offsets` are
    left out.
    """
    async with _open_consumer(kafka) as consumer:
        ranges = await _range(consumer, await _partitions(consumer, kafka, topic))
        for tp, (begin, end) in ranges.items():
            start = (from_offsets or {}).get(tp.partition, begin)
            ranges[tp] = (start, end if to_offsets is None else min(end, to_offsets.get(tp.partition, 0)))
        async for records in _read_ranges(consumer, kafka, ranges, batch):
            yield records


async def partitions_of(kafka: KafkaSettings, topic: str) -> list[int]:
    """NotReady where the topic does not exist."""
    async with _open_consumer(kafka) as consumer:
        return [tp.partition for tp in await _partitions(consumer, kafka, topic)]


async def end_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """The next offset of every partition that a committed reader can see."""
    async with _open_consumer(kafka) as consumer:
        ranges = await _range(consumer, await _partitions(consumer, kafka, topic))
    return {tp.partition: end for tp, (_, end) in ranges.items()}


async def begin_offsets(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    async with _open_consumer(kafka) as consumer:
        ranges = await _range(consumer, await _partitions(consumer, kafka, topic))
    return {tp.partition: begin for tp, (begin, _) in ranges.items()}


async def last_records(kafka: KafkaSettings, topic: str) -> list[Record[bytes | None]]:
    """The last committed record of every partition that has one, but for what was sent again."""
    async with _open_consumer(kafka) as consumer:
        ranges = await _range(consumer, await _partitions(consumer, kafka, topic))
        found = [await _last_record(consumer, kafka, tp, begin, end) for tp, (begin, end) in ranges.items()]
    return [record for record in found if record is not None]


async def _last_record(
    consumer: AIOKafkaConsumer, kafka: KafkaSettings, tp: TopicPartition, begin: int, end: int
) -> Record[bytes | None] | None:
    # The tail may be all markers and aborted records, or facts of long ago that were sent again and that an old backup
    # knows as well: look further back until something committed for the first time shows.
    reach = 16
    while True:
        start = max(begin, end - reach)
        newest: Record[bytes | None] | None = None
        last: Record[bytes | None] | None = None
        async for records in _read_ranges(consumer, kafka, {tp: (start, end)}, 2_000):
            last = records[-1]
            newest = next((record for record in reversed(records) if not is_resent(record)), newest)
        if newest is not None or start <= begin:
            return newest or last
        reach *= 16


async def _read_ranges(
    consumer: AIOKafkaConsumer, kafka: KafkaSettings, ranges: Mapping[TopicPartition, tuple[int, int]], batch: int
) -> AsyncIterator[Sequence[Record[bytes | None]]]:
    waiting, silent = {tp for tp, (start, end) in ranges.items() if start < end}, 0
    consumer.assign(list(ranges))
    for tp in waiting:
        consumer.seek(tp, ranges[tp][0])
    while waiting:
        with broker_trouble_is_transient():
            fetched = await consumer.getmany(*waiting, timeout_ms=POLL_MS, max_records=batch)
        silent = 0 if fetched else silent + 1
        if silent > SILENT_POLLS_MAX:
            raise Transient("no answer to a fetch for half a minute")
        for tp, raws in fetched.items():
            records = [to_record(kafka, raw) for raw in raws if raw.offset < ranges[tp][1]]
            if records:
                yield records
        waiting -= {tp for tp in waiting if await consumer.position(tp) >= ranges[tp][1]}


@asynccontextmanager
async def _open_consumer(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **kafka.client_options(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
    try:
        with broker_trouble_is_transient():
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, kafka: KafkaSettings, topic: str) -> list[TopicPartition]:
    physical = kafka.physical(topic)
    with broker_trouble_is_transient():
        # The public `topics()` throws this answer away but for the names.
        cluster = await consumer._client.fetch_all_metadata()
    numbers = cluster.partitions_for_topic(physical)
    if not numbers:
        raise NotReady(f"topic `{physical}` does not exist: loyalty topics apply")
    return [TopicPartition(physical, number) for number in sorted(numbers)]


async def _range(consumer: AIOKafkaConsumer, tps: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    with broker_trouble_is_transient():
        begins = await consumer.beginning_offsets(tps)
        ends = await consumer.end_offsets(tps)
    return {tp: (begins[tp], ends[tp]) for tp in tps}
