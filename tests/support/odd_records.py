"""Records as our own clients never write them."""

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from services.runtime.kafka.settings import KafkaSettings


class Latin(str):
    """A name that another client writes as it is."""

    def encode(self, *_: object) -> bytes:
        return super().encode("latin-1")


async def send_with_an_odd_header(kafka: KafkaSettings, topic: str) -> tuple[int, int]:
    """A header's name that is not UTF-8; answers partition and offset."""
    odd = _DefaultRecordBatchBuilderPy(2, 0, False, -1, -1, -1, 0)
    odd.append(0, 1_772_000_000_000, b"k0", b"count", [(Latin("à"), b"")])
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        batch = producer.create_batch()
        batch.append(timestamp=None, key=b"k0", value=b"count")
        batch._builder = odd
        told = await (await producer.send_batch(batch, kafka.physical(topic), partition=0))
    return told.partition, told.offset
