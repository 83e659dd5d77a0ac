"""Consumers that die, freeze, come and go: every record is applied once, in the order of its key."""

import asyncio
import signal
import subprocess
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psutil
import pytest

from services.runtime.kafka.consumer import ConsumerLoop
from tests.support.counting_handler import CountingHandler
from tests.support.counting_world import World, keys_in_order, until


@pytest.mark.parametrize("moment", ["copied", "committed"])
async def test_a_consumer_killed_around_its_commit_loses_and_repeats_nothing(world: World, moment: str) -> None:
    ids = await world.publish(spread(600))
    with world.process("consume", moment) as victim:
        await until(lambda: has_died(victim), "it has killed itself")
    assert victim.returncode == -signal.SIGKILL
    assert bool(await world.counted()) is (moment == "committed")
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 600), "a successor counted the rest")
    await assert_each_once_and_in_order(world, ids)


async def test_rebalances_under_load_lose_and_repeat_nothing(world: World) -> None:
    ids: list[str] = []
    async with AsyncExitStack() as first:
        await first.enter_async_context(world.running(CountingHandler()))
        for part in range(6):
            ids += await world.publish(spread(400), first=part * 400)
            # Each comes, makes the group share anew, and leaves while records are under way.
            async with world.running(CountingHandler()) as second:
                await until(partial(shares, second), "the group is shared")
        await until(lambda: has_counted(world, 2_400), "all are counted")
    await assert_each_once_and_in_order(world, ids)


async def test_a_zombie_that_wakes_inside_its_transaction_commits_nothing(world: World, tmp_path: Path) -> None:
    # One key, one partition: a second one could be frozen inside a COPY, which only the statement's time-out ends.
    ids = await world.publish([("k", "count")] * 300)
    log = tmp_path / "zombie.log"
    with world.process("consume", "frozen", log=log) as zombie:
        await until(lambda: is_frozen(zombie), "it has frozen with rows written and not committed")
        async with world.running(CountingHandler()):
            await until(lambda: has_counted(world, 300), "the server let go of its locks, a successor counted")
            zombie.send_signal(signal.SIGCONT)
            await until(lambda: says(log, "partition_waiting"), "it found its session or its row gone")
            ids += await world.publish([("k", "count")] * 100, first=300)
            await until(lambda: has_counted(world, 400), "both live on")
    await assert_each_once_and_in_order(world, ids)


async def test_a_consumer_frozen_past_its_session_is_fenced_when_it_wakes(world: World) -> None:
    ids = await world.publish(spread(300))
    with world.process("consume") as frozen:
        await until(lambda: has_counted(world, 300), "it works")
        frozen.send_signal(signal.SIGSTOP)
        ids += await world.publish(spread(300), first=300)
        async with world.running(CountingHandler()):
            await until(lambda: has_counted(world, 600), "the successor got the partitions")
            frozen.send_signal(signal.SIGCONT)
            ids += await world.publish(spread(300), first=600)
            await until(lambda: has_counted(world, 900), "both live on")
    await assert_each_once_and_in_order(world, ids)


def spread(count: int) -> list[tuple[str, str]]:
    return [(f"k{number % 13}", "count") for number in range(count)]


async def assert_each_once_and_in_order(world: World, ids: list[str]) -> None:
    rows = await world.query('SELECT ce_id, key, partition, "offset" FROM counted ORDER BY id')
    assert sorted(row.ce_id for row in rows) == sorted(ids)
    for found in keys_in_order(rows).values():
        assert found == sorted(found, key=lambda each: int(each[1:]))


async def has_counted(world: World, count: int) -> bool:
    return len(await world.counted()) >= count


async def shares(loop: ConsumerLoop) -> bool:
    told = loop.status()
    return told.assigned and 0 < len(told.partitions) < 3


async def is_frozen(process: subprocess.Popen[bytes]) -> bool:
    return bool(psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


async def says(log: Path, word: str) -> bool:
    return word in log.read_text()


async def has_died(process: subprocess.Popen[bytes]) -> bool:
    return await asyncio.to_thread(process.poll) is not None
