"""Whether a checkpoint still fits its partition: never reset by itself, never read on in another topic's records."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.errors import HaltError, Transient
from services.runtime.kafka.checkpoints import Checkpoint, PartitionId
from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.records import identity_of, to_record
from services.runtime.kafka.settings import KafkaSettings

END_QUESTIONS_MAX = 5
END_QUESTION_PAUSE_SECONDS = 0.5
LAST_RECORD_POLLS_MAX = 20
LAST_RECORD_POLL_MS = 500


async def begin_offset(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    with broker_trouble_is_transient():
        return int((await consumer.beginning_offsets([tp]))[tp])


async def end_offset(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    """The next offset that a committed reader can see."""
    with broker_trouble_is_transient():
        return int((await consumer.end_offsets([tp]))[tp])


async def check_range(
    consumer: AIOKafkaConsumer, tp: TopicPartition, of: PartitionId, checkpoint: Checkpoint, begin: int
) -> None:
    """HaltError where the checkpoint points outside of what the partition keeps."""
    position = checkpoint.next_offset
    if position < begin:
        raise HaltError(
            f"checkpoint {position} of `{of.topic}` partition {of.partition} lies before its first kept record {begin}",
            "records were deleted before they were read; find out what is lost, then: loyalty checkpoints move",
        )
    end = await end_offset(consumer, tp)
    for _ in range(END_QUESTIONS_MAX):
        if position <= end:
            return
        # A new leader may not know for a moment how far the old one had come.
        await asyncio.sleep(END_QUESTION_PAUSE_SECONDS)
        end = await end_offset(consumer, tp)
    raise HaltError(
        f"checkpoint {position} of `{of.topic}` partition {of.partition} lies beyond the partition's end {end}",
        "the topic lost records or was made anew; restore it, or start this service on an empty database",
    )


async def check_last_record(
    consumer: AIOKafkaConsumer, tp: TopicPartition, kafka: KafkaSettings, checkpoint: Checkpoint, begin: int
) -> None:
    """HaltError where another record now stands at the offset that was read last; moves the position."""
    if checkpoint.last_offset is None or checkpoint.last_offset < begin:
        return
    found = await _identity_at(consumer, tp, kafka, checkpoint.last_offset)
    if found is not None and found != checkpoint.last_id:
        raise HaltError(
            f"offset {checkpoint.last_offset} of `{kafka.logical(tp.topic)}` partition {tp.partition} holds another"
            " record than the one that was read there",
            "the topic was made anew; restore it, or start this service on an empty database",
        )


async def _identity_at(consumer: AIOKafkaConsumer, tp: TopicPartition, kafka: KafkaSettings, offset: int) -> str | None:
    with broker_trouble_is_transient():
        consumer.seek(tp, offset)
        for _ in range(LAST_RECORD_POLLS_MAX):
            fetched = await consumer.getmany(tp, timeout_ms=LAST_RECORD_POLL_MS, max_records=1)
            for raw in fetched.get(tp, []):
                # Compaction may have taken the one asked for; then the next one answers.
                return identity_of(to_record(kafka, raw)) if raw.offset == offset else None
            if await consumer.position(tp) > offset:
                return None
    raise Transient(f"no answer for offset {offset} of partition {tp.partition}")
