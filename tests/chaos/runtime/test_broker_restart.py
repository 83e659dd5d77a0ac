"""A broker that goes away under load and comes back: the loop and the relay wait, and then go on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.ops.stack.kafka import LocalKafka
from services.ops.stack.probe import look_around
from services.ops.stack.providers import local_kafka
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import OutboxRow
from tests.support.counting_handler import INPUT, OUTPUT, CountingHandler, create_schema, open_database
from tests.support.counting_world import World, create_topics, until


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[LocalKafka]:
    """A broker of this test's own, to be stopped."""
    broker = local_kafka(look_around(), tmp_path, nodes=1)
    await broker.start()
    yield broker
    await broker.stop()


async def test_records_and_rows_go_through_after_the_broker_came_back(
    own_broker: LocalKafka, empty_database_url: str
) -> None:
    kafka = KafkaSettings(own_broker.bootstrap, prefix="restart.", request_timeout_ms=3_000)
    await create_topics(kafka, {INPUT: 3, OUTPUT: 3})
    await create_schema(empty_database_url)
    world = World(kafka, open_database(empty_database_url), empty_database_url)
    await world.publish([("k", "count")] * 200)
    async with world.running(CountingHandler(relaying=True)), world.relaying():
        await until(lambda: has_published(world, 200), "all went through")
        await own_broker.stop()
        async with world.database.begin() as uow:
            await uow.add_outbox(OutboxRow(OUTPUT, "k", f"e{number}") for number in range(200, 300))
        await own_broker.start()
        await until(world.outbox_is_empty, "the rows went out", 40)
        await world.publish([("k", "count")] * 100, first=300)
        await until(lambda: has_published(world, 300), "records go through again", 40)
    numbers = [int((record.value or b"")[1:]) for record in await world.published()]
    assert numbers == [*range(400)]
    await world.database.dispose()


async def has_published(world: World, count: int) -> bool:
    return len(await world.counted()) == count and await world.outbox_is_empty()
