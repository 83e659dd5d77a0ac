import asyncio
from collections.abc import Collection

from services.runtime.kafka.dead_letters import counts
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.waiting import stopped_within
from services.runtime.telemetry.metrics import Metrics

LOOK_EVERY_SECONDS = 15.0


async def tell_set_aside(
    database: Database, metrics: Metrics, consumer: str, topics: Collection[str], stop: asyncio.Event
) -> None:
    """Keeps the gauges of what waits for a person; each process of a service tells the same."""
    while not stop.is_set():
        async with database.read() as connection:
            found = await counts(connection, consumer)
        for topic in topics:
            letters, keys = found.get(topic, (0, 0))
            metrics.set("loyalty_consumer_dead_letters_open", letters, topic=topic)
            metrics.set("loyalty_consumer_parked_keys", keys, topic=topic)
        await stopped_within(stop, LOOK_EVERY_SECONDS)
