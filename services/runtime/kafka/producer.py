"""Publishing to Kafka without an outbox: for doors and bulk tools whose messages may be sent again."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from services.runtime.errors import Transient
from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Message

CHUNK_MESSAGES = 2_000
BATCH_BYTES_MAX = 512 * 1024
DELIVERY_TIMEOUT_SECONDS = 10.0
KEYS_REMEMBERED = 65_536

PartitionKey = tuple[str, int]

_PARTITIONER = DefaultPartitioner()


class KafkaPublisher:
    """Idempotent producer, acks=all. Transient means unanswered: the message may still arrive, so send it again."""

    def __init__(self, kafka: KafkaSettings, *, delivery_timeout_seconds: float = DELIVERY_TIMEOUT_SECONDS) -> None:
        self._kafka = kafka
        self._timeout_seconds = delivery_timeout_seconds
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Raises Transient while no broker answers; may be called again."""
        producer = AIOKafkaProducer(
            **self._kafka.client_options(),
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=BATCH_BYTES_MAX,
            compression_type="zstd",
        )
        try:
            with broker_trouble_is_transient():
                await asyncio.wait_for(producer.start(), self._timeout_seconds)
        except BaseException:
            await close_producer(producer)
            raise
        self._producer = producer

    async def send(self, message: Message) -> None:
        """Returns once the broker has acknowledged."""
        with broker_trouble_is_transient():
            async with asyncio.timeout(self._timeout_seconds):
                await self._started().send_and_wait(
                    self._kafka.physical(message.topic),
                    value=message.value,
                    key=message.key.encode(),
                    headers=encoded_headers(message.headers),
                )

    async def send_many(self, messages: Iterable[Message]) -> None:
        """Keeps the order within a key; returns once all are acknowledged."""
        remaining = iter(messages)
        while chunk := list(islice(remaining, CHUNK_MESSAGES)):
            with broker_trouble_is_transient():
                await send_in_batches(self._started(), self._kafka, chunk, self._timeout_seconds)

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await close_producer(producer)

    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise Transient("the publisher is not connected to Kafka")
        return self._producer


async def send_in_batches(
    producer: AIOKafkaProducer, kafka: KafkaSettings, messages: Iterable[Message], timeout_seconds: float
) -> None:
    """Whole record batches per partition, in the order given; the first failure is raised after all have ended."""
    async with asyncio.timeout(timeout_seconds):
        grouped = await _by_partition(producer, kafka, messages)
        answers = await asyncio.gather(
            *(_send_partition(producer, *where, batch) for where, batch in grouped.items()), return_exceptions=True
        )
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def close_producer(producer: AIOKafkaProducer, *, patience_seconds: float = 3.0) -> None:
    """Flushes and closes; after the patience it drops what is buffered, for the client would wait for ever."""
    try:
        await asyncio.wait_for(producer.stop(), patience_seconds)
    except TimeoutError:
        # A sender that looks for its coordinator goes on looking when it is closed.
        with suppress(TimeoutError):
            await asyncio.wait_for(producer._sender.close(), patience_seconds)
        await producer.client.close()


def encoded_headers(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in headers.items()]


async def _by_partition(
    producer: AIOKafkaProducer, kafka: KafkaSettings, messages: Iterable[Message]
) -> dict[PartitionKey, list[Message]]:
    partitions: dict[str, tuple[int, ...]] = {}
    grouped: dict[PartitionKey, list[Message]] = defaultdict(list)
    for message in messages:
        topic = kafka.physical(message.topic)
        if topic not in partitions:
            partitions[topic] = tuple(sorted(await producer.partitions_for(topic)))
        grouped[topic, _partition_of(message.key, partitions[topic])].append(message)
    return grouped


@lru_cache(maxsize=KEYS_REMEMBERED)
def _partition_of(key: str, partitions: tuple[int, ...]) -> int:
    # The client hashes in plain Python, which is a third of what the relay does; the keys of a busy time come again.
    partition: int = _PARTITIONER(key.encode(), partitions, partitions)
    return partition


async def _send_partition(producer: AIOKafkaProducer, topic: str, partition: int, messages: Sequence[Message]) -> None:
    answers = []
    batch: BatchBuilder = producer.create_batch()
    for message in messages:
        if not _append(batch, message):
            answers.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            # An empty batch takes a message of any size; the broker is the one that refuses.
            _append(batch, message)
    answers.append(await producer.send_batch(batch, topic, partition=partition))
    for answer in answers:
        await answer


def _append(batch: BatchBuilder, message: Message) -> bool:
    appended = batch.append(
        timestamp=None, key=message.key.encode(), value=message.value, headers=encoded_headers(message.headers)
    )
    return appended is not None
