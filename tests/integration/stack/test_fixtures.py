"""The servers that all other tests stand on."""

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.ops.stack.providers import dsn
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics


async def test_a_test_has_topics_of_its_own(kafka: str, clean_topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name=f"{clean_topics}checkouts", num_partitions=2, replication_factor=1)])
    topics = await admin.list_topics()
    await admin.close()
    assert [topic for topic in topics if topic.startswith(clean_topics)] == [f"{clean_topics}checkouts"]


async def test_a_test_has_a_database_of_its_own(empty_database_url: str) -> None:
    connection = await asyncpg.connect(dsn(empty_database_url))
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == 0


async def test_tests_run_on_durable_settings(empty_database_url: str) -> None:
    connection = await asyncpg.connect(dsn(empty_database_url))
    names = ("fsync", "synchronous_commit", "max_connections")
    settings = {name: await connection.fetchval(f"SHOW {name}") for name in names}
    await connection.close()
    assert settings == {"fsync": "on", "synchronous_commit": "on", "max_connections": "200"}


async def test_the_template_has_the_shared_table_of_keys(database_url: str) -> None:
    connection = await asyncpg.connect(dsn(database_url))
    keys = await connection.fetchval("SELECT count(*) FROM access.api_key")
    await connection.close()
    assert keys == 0


async def test_a_test_has_the_topics_of_the_platform(topics: KafkaSettings) -> None:
    assert {change.change for change in await apply_topics(topics, partitions=2)} == {"unchanged"}
