"""A topic is never ahead of its owner: the check that keeps a service from deciding its history twice."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.errors import HaltError, NotReady
from services.runtime.kafka.reader import last_records
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import Database


class TopicOwner(Protocol):
    """The service that alone writes `topics` (logical names) from facts in its own tables."""

    @property
    def topics(self) -> Sequence[str]: ...

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        """Whether the tables hold what this record was made from."""
        ...

    def remedy(self, topic: str) -> str:
        """The command that brings the database level with the topic."""
        ...


async def check_topics_not_ahead(*, kafka: KafkaSettings, database: Database, owner: TopicOwner) -> None:
    """HaltError where a topic ends with a record that the database lacks: it was lost, or is an old backup."""
    for topic in owner.topics:
        for record in await _last_records(kafka, topic):
            async with database.read() as connection:
                known = await owner.knows(connection, record)
            if not known:
                raise HaltError(f"this database is behind its topic `{topic}`", owner.remedy(topic))


async def _last_records(kafka: KafkaSettings, topic: str) -> list[Record[bytes | None]]:
    try:
        return await last_records(kafka, topic)
    except NotReady:
        # A topic that does not exist is ahead of nobody.
        return []
