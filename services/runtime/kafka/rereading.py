"""Reading a kept topic once more, past every checkpoint."""

from typing import Any

from services.runtime.kafka.batches import decoded
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.unit_of_work import Database


async def read_through(kafka: KafkaSettings, database: Database, topic: str, handler: Handler[Any]) -> None:
    """Hands a topic to its handler from beginning to end: for tables that must be whole before the service works."""
    async for batch in read_topic(kafka, topic):
        records = [decoded(handler, record) for record in batch]
        async with database.begin() as uow:
            await handler.handle(uow, records)
