"""The outbox reaches Kafka in the order of its rows, whatever happens on the way."""

from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.errors import HaltError
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.reader import last_records
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow
from tests.support.counting_handler import OUTPUT, CountingHandler, CountingOwner, CountingSource
from tests.support.counting_world import World, until


async def test_rows_are_published_in_their_order_and_deleted(world: World) -> None:
    await fill_outbox(world, 5_000)
    async with world.relaying():
        await until(world.outbox_is_empty, "the outbox is empty")
    found = await world.published()
    assert len(found) == 5_000
    for key in {record.key for record in found}:
        numbers = [int((record.value or b"")[1:]) for record in found if record.key == key]
        assert numbers == sorted(numbers)


async def test_a_handlers_rows_reach_the_topic(world: World) -> None:
    ids = await world.publish([(f"k{number % 5}", "count") for number in range(500)])
    async with world.running(CountingHandler(relaying=True)), world.relaying():

        async def all_published() -> bool:
            return len(await world.counted()) == 500 and await world.outbox_is_empty()

        await until(all_published, "all went through")
    assert sorted(record.headers["ce_id"] for record in await world.published()) == sorted(ids)


async def test_a_failing_batch_is_aborted_and_sent_whole_later(world: World) -> None:
    await fill_outbox(world, 100)
    source = FailingOnce()
    async with world.relaying(source):
        await until(world.outbox_is_empty, "the outbox is empty")
    assert source.failures == 1
    assert [len(await world.published())] == [100]


async def test_a_second_relay_waits_for_the_lease(world: World) -> None:
    await world.execute("INSERT INTO relay_lease VALUES (0, 'another', now() + interval '1.5 seconds')")
    await fill_outbox(world, 10)
    async with world.relaying():
        await until(world.outbox_is_empty, "it took over when the lease had run out")
    assert await world.query("SELECT 1 FROM relay_lease") == []


async def test_a_database_level_with_its_topic_passes_the_guard(world: World) -> None:
    await world.publish([("k", "count")])
    async with world.running(CountingHandler(relaying=True)), world.relaying():

        async def published() -> bool:
            return len(await world.counted()) == 1 and await world.outbox_is_empty()

        await until(published, "it is published")
    await guard(world)


async def test_an_emptied_database_is_halted_with_the_remedy(world: World) -> None:
    await world.publish([("k", "x")], topic=OUTPUT)
    with pytest.raises(HaltError) as halt:
        await guard(world)
    assert halt.value.what == "this database is behind its topic `output`"
    assert halt.value.remedy == "loyalty rebuild counting --from topic (output)"


async def test_a_restored_older_database_is_halted(world: World) -> None:
    await world.publish([("k", "x"), ("k", "x")], topic=OUTPUT)
    await world.execute("INSERT INTO counted (ce_id, partition, \"offset\") VALUES ('e0', 0, 0)")
    with pytest.raises(HaltError):
        await guard(world)
    await world.execute("INSERT INTO counted (ce_id, partition, \"offset\") VALUES ('e1', 0, 1)")
    await guard(world)


async def test_a_fact_of_which_only_the_second_sending_is_left_halts_an_older_database(world: World) -> None:
    await world.publish([("k", "x")], topic=OUTPUT)
    await world.execute("INSERT INTO counted (ce_id, partition, \"offset\") VALUES ('e0', 0, 0)")
    await world.send(Message(OUTPUT, "k", b"e1", {"ce_id": "e1", "sent_again": "true"}))
    with pytest.raises(HaltError):
        await guard(world)


async def test_the_last_committed_record_is_found_behind_markers_and_aborted_ones(world: World) -> None:
    await world.publish([("k", "kept")], topic=OUTPUT)
    await abort_transactions(world, 30)
    (last,) = await last_records(world.kafka, OUTPUT)
    assert last.headers["ce_id"] == "e0"


class FailingOnce(CountingSource):
    """The first batch meets a broken connection."""

    failures = 0

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        if not self.failures:
            self.failures += 1
            raise ConnectionResetError
        return await super().resolve(connection, rows)


async def fill_outbox(world: World, count: int) -> None:
    async with world.database.begin() as uow:
        await uow.add_outbox(OutboxRow(OUTPUT, f"k{number % 11}", f"e{number}") for number in range(count))


async def guard(world: World) -> None:
    await check_topics_not_ahead(kafka=world.kafka, database=world.database, owner=CountingOwner())


async def abort_transactions(world: World, count: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=world.kafka.bootstrap, transactional_id=world.kafka.physical("aborting")
    )
    await producer.start()
    for _ in range(count):
        await producer.begin_transaction()
        await producer.send_and_wait(world.kafka.physical(OUTPUT), key=b"k", value=b"aborted")
        await producer.abort_transaction()
    await producer.stop()
