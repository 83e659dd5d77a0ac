"""Reading a kept topic once more, past every checkpoint."""

from typing import Any

from services.runtime.kafka.batches import decoded
from services.runtime.kafka.handler import CaughtUp, Handler
from services.runtime.kafka.reader import end_offsets, read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database


async def read_through(
    kafka: KafkaSettings, database: Database, topic: str, handler: Handler[Any], clock: Clock
) -> None:
    """Hands a topic to its handler from beginning to end, and tells it so: for tables that must be whole before the
    service works."""
    asked_at = clock()
    ends = await end_offsets(kafka, topic)
    async for batch in read_topic(kafka, topic, to_offsets=ends):
        records = [decoded(handler, record) for record in batch]
        async with database.begin() as uow:
            await handler.handle(uow, records)
    if isinstance(handler, CaughtUp):
        async with database.begin() as uow:
            for partition in ends:
                await handler.caught_up(uow, partition, asked_at, any_parked=False)
