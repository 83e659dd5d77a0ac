"""The fixture behind the tests of the loop and the relay."""

from collections.abc import AsyncIterator

import pytest

from services.runtime.kafka.settings import KafkaSettings
from tests.support.counting_handler import INPUT, OUTPUT, create_schema, open_database
from tests.support.counting_world import World, create_topics


@pytest.fixture
async def world(kafka: str, clean_topics: str, empty_database_url: str) -> AsyncIterator[World]:
    """Input and output topics of three partitions each, and the counting service's empty schema."""
    settings = KafkaSettings(bootstrap=kafka, prefix=clean_topics)
    await create_topics(settings, {INPUT: 3, OUTPUT: 3})
    await create_schema(empty_database_url)
    database = open_database(empty_database_url)
    yield World(settings, database, empty_database_url)
    await database.dispose()
