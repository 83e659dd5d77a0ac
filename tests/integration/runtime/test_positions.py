"""The position stands in the database: who holds it, where it may point, and what a lost answer means."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from services.runtime.errors import CommitUnclear, Fenced, HaltError
from services.runtime.kafka import checkpoints
from services.runtime.kafka.applier import Applier
from services.runtime.kafka.batches import Batch
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from tests.support.counting_handler import GROUP, INPUT, CountingHandler, PlainSeal, utc_now
from tests.support.counting_world import World, create_topics, until
from tests.support.kafka import delete_topics

OF = PartitionId(GROUP, INPUT, 0)


async def test_the_first_checkpoint_stands_at_the_beginning_of_the_topic(world: World) -> None:
    async with world.running(CountingHandler()):
        await until(lambda: has_rows(world, 3), "all partitions are taken")
    rows = await world.query("SELECT epoch, next_offset, last_offset FROM checkpoint")
    assert [tuple(row) for row in rows] == [(1, 0, None)] * 3


async def test_a_zombie_that_lost_its_partition_writes_nothing(world: World) -> None:
    zombie = await checkpoints.take(world.database, OF, owner="zombie", begin_offset=0)
    await checkpoints.take(world.database, OF, owner="successor", begin_offset=0)
    with pytest.raises(Fenced):
        await applier(world).apply(zombie, batch_of_one())
    assert await world.counted() == []


async def test_an_owner_that_stands_elsewhere_than_the_row_writes_nothing(world: World) -> None:
    held = await checkpoints.take(world.database, OF, owner="me", begin_offset=0)
    await applier(world).apply(held, batch_of_one())
    with pytest.raises(Fenced):
        await applier(world).apply(held, batch_of_one())
    assert await world.counted() == ["e0"]


async def test_a_fenced_owner_that_is_still_assigned_comes_back(world: World) -> None:
    await world.publish([("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "the first is counted")
        await world.execute("UPDATE checkpoint SET epoch = epoch + 1, owner = 'another'")
        await world.publish([("k", "count")], first=1)
        await until(lambda: has_counted(world, 2), "it took the partition again")
    (row,) = await world.query("SELECT epoch, owner FROM checkpoint WHERE last_id = 'e1'")
    assert row.epoch == 3
    assert row.owner != "another"


async def test_an_owner_whose_row_was_made_anew_halts_and_does_not_begin_again(world: World) -> None:
    await world.publish([("k", "count")])
    running = asyncio.create_task(world.loop(CountingHandler()).run(asyncio.Event()))
    await until(lambda: has_counted(world, 1), "the first is counted")
    await world.execute("DELETE FROM checkpoint")
    await world.publish([("k", "count")], first=1)
    with pytest.raises(HaltError, match=r"the checkpoint of `input` partition \d is not the one it was"):
        await running
    assert await world.counted() == ["e0"]


async def test_a_checkpoint_beyond_the_end_of_its_topic_halts(world: World) -> None:
    await world.publish([("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "the first is counted")
    await world.execute("UPDATE checkpoint SET next_offset = 500, last_offset = NULL WHERE last_id = 'e0'")
    with pytest.raises(HaltError, match=r"checkpoint 500 of `input` partition \d lies beyond the partition's end 1"):
        await world.loop(CountingHandler()).run(asyncio.Event())


async def test_a_checkpoint_before_the_first_kept_record_halts(world: World) -> None:
    await world.execute(
        "INSERT INTO checkpoint (consumer, topic, partition, next_offset) VALUES (:g, :t, 0, -1)", g=GROUP, t=INPUT
    )
    with pytest.raises(HaltError, match="records were deleted before they were read"):
        await world.loop(CountingHandler()).run(asyncio.Event())


async def test_a_topic_made_anew_halts_its_reader(world: World) -> None:
    await world.publish([("k", "count"), ("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 2), "both are counted")
    await make_anew(world)
    await world.publish([("k", "count"), ("k", "count"), ("k", "count")], first=100)
    with pytest.raises(HaltError, match="holds another record than the one that was read there"):
        await world.loop(CountingHandler()).run(asyncio.Event())
    assert await world.counted() == ["e0", "e1"]


async def test_a_commit_without_an_answer_is_looked_up_and_not_repeated(world: World) -> None:
    await world.publish([("k", "count")] * 20)
    forgetful = Forgetful(world.database.engine)
    async with replace(world, database=forgetful).running(CountingHandler()):
        await until(lambda: has_counted(world, 20), "all are counted")
        await world.publish([("k", "count")], first=20)
        await until(lambda: has_counted(world, 21), "the next one as well")
    assert forgetful.lost == 1
    assert len(set(await world.counted())) == 21


async def test_a_checkpoint_moved_back_hands_the_records_to_the_handler_again(world: World) -> None:
    await world.publish([("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "it is counted")
    await world.execute("UPDATE checkpoint SET next_offset = 0, last_offset = NULL")
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 2), "it is counted again")
    assert await world.counted() == ["e0", "e0"]


class Forgetful(Database):
    """Loses the answer to the first COMMIT of a batch that wrote something."""

    lost = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        async with super().begin() as uow:
            yield uow
            wrote = await uow.connection.exec_driver_sql("SELECT count(*) FROM counted")
            is_batch = wrote.scalar_one() > 0
        if is_batch and not self.lost:
            self.lost += 1
            raise CommitUnclear("the answer was lost")


def applier(world: World) -> Applier:
    return Applier(database=world.database, of=OF, handler=CountingHandler(), seal=PlainSeal(), unreadable_keys_max=20)


def batch_of_one() -> Batch:
    position = (INPUT, 0, 0, "k", {"ce_id": "e0"}, utc_now())
    return Batch(0, 1, [Record(*position, b"count")], [Record(*position, "count")])


async def make_anew(world: World) -> None:
    await delete_topics(world.kafka.bootstrap, world.kafka.physical(INPUT))

    async def created() -> bool:
        await create_topics(world.kafka, {INPUT: 3})
        return True

    await until(created, "the topic exists again")


async def has_counted(world: World, count: int) -> bool:
    return len(await world.counted()) == count


async def has_rows(world: World, count: int) -> bool:
    return len(await world.query("SELECT 1 FROM checkpoint")) == count
