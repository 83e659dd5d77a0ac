"""Nothing ends because Kafka is away; everything says so."""

import asyncio
from dataclasses import replace

import pytest

from services.runtime.errors import NotReady, Transient
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.ports import Message, OutboxRow
from tests.support.counting_handler import INPUT, OUTPUT, CountingHandler
from tests.support.counting_world import World, until

NOWHERE = "127.0.0.1:1"


async def test_a_consumer_waits_for_a_broker_and_stops_when_told(world: World) -> None:
    loop = replace(world, kafka=replace(world.kafka, bootstrap=NOWHERE)).loop(CountingHandler())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(loop.run(stop))
        await asyncio.wait([running], timeout=1.0)
        assert not running.done()
        assert not loop.status().assigned
        stop.set()


async def test_a_relay_keeps_its_rows_while_the_broker_is_away(world: World) -> None:
    async with world.database.begin() as uow:
        await uow.add_outbox([OutboxRow(OUTPUT, "k", "e0")])
    away = replace(world, kafka=replace(world.kafka, bootstrap=NOWHERE))
    async with away.relaying():

        async def leased() -> bool:
            return bool(await world.query("SELECT 1 FROM relay_lease"))

        await until(leased, "it tries")
    assert not await world.outbox_is_empty()


async def test_a_publisher_without_a_broker_says_transient(world: World) -> None:
    publisher = KafkaPublisher(replace(world.kafka, bootstrap=NOWHERE), delivery_timeout_seconds=1)
    with pytest.raises(Transient):
        await publisher.start()
    with pytest.raises(Transient):
        await publisher.send(Message(INPUT, "k", b"v", {}))
    await publisher.stop()


async def test_a_published_message_is_read_back_with_its_headers_and_tombstones(world: World) -> None:
    publisher = KafkaPublisher(world.kafka)
    await publisher.start()
    await publisher.send(Message(INPUT, "k", b"v", {"ce_id": "1"}))
    await publisher.send_many([Message(INPUT, "k", None, {"ce_id": "2"})])
    await publisher.stop()
    found = [record async for records in read_topic(world.kafka, INPUT) for record in records]
    assert [(each.key, each.value, each.headers) for each in found] == [
        ("k", b"v", {"ce_id": "1"}),
        ("k", None, {"ce_id": "2"}),
    ]


async def test_a_reader_takes_only_the_range_it_is_given(world: World) -> None:
    await world.publish([("k", str(number)) for number in range(10)])
    (partition,) = {record.partition async for records in read_topic(world.kafka, INPUT) for record in records}
    found = [
        record.offset
        async for records in read_topic(world.kafka, INPUT, from_offsets={partition: 3}, to_offsets={partition: 7})
        for record in records
    ]
    assert found == [3, 4, 5, 6]


async def test_a_topic_that_does_not_exist_is_told_with_the_remedy(world: World) -> None:
    with pytest.raises(NotReady, match="loyalty topics apply"):
        [records async for records in read_topic(world.kafka, "absent")]
