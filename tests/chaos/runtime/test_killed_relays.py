"""Relays that die or freeze: a reader may see one whole batch twice, and never another order."""

import asyncio
import signal
import subprocess
from pathlib import Path

import psutil

from services.runtime.ports import OutboxRow
from tests.support.counting_handler import OUTPUT
from tests.support.counting_world import QUICK_RELAY, World, until

ROWS = 1_000
BATCH = QUICK_RELAY.batch_rows_max


async def test_a_relay_killed_between_commit_and_delete_repeats_one_whole_batch(world: World) -> None:
    await fill_outbox(world)
    with world.process("relay", "committed") as victim:
        await until(lambda: has_died(victim), "it has killed itself")
    assert victim.returncode == -signal.SIGKILL
    assert len(await world.query("SELECT 1 FROM outbox")) == ROWS
    async with world.relaying():
        await until(world.outbox_is_empty, "a successor published the rest")
    expected = [*range(BATCH), *range(ROWS)]
    assert await published_numbers(world) == {key: of_key(expected, key) for key in range(11)}


async def test_a_relay_frozen_past_its_lease_is_fenced(world: World, tmp_path: Path) -> None:
    await fill_outbox(world)
    log = tmp_path / "relay.log"
    with world.process("relay", "resolved", log=log) as frozen:
        await until(lambda: is_frozen(frozen), "it has frozen itself with rows in its hands")
        async with world.relaying():
            await until(world.outbox_is_empty, "a successor took over")
            frozen.send_signal(signal.SIGCONT)
            await until(lambda: says(log, "ProducerFenced"), "the first one found itself fenced")
    assert await published_numbers(world) == {key: of_key([*range(ROWS)], key) for key in range(11)}


async def fill_outbox(world: World) -> None:
    async with world.database.begin() as uow:
        await uow.add_outbox(OutboxRow(OUTPUT, f"k{number % 11}", f"e{number}") for number in range(ROWS))


async def published_numbers(world: World) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {key: [] for key in range(11)}
    for record in await world.published():
        found[int((record.key or "")[1:])].append(int((record.value or b"")[1:]))
    return found


def of_key(numbers: list[int], key: int) -> list[int]:
    return [number for number in numbers if number % 11 == key]


async def has_died(process: subprocess.Popen[bytes]) -> bool:
    return await asyncio.to_thread(process.poll) is not None


async def is_frozen(process: subprocess.Popen[bytes]) -> bool:
    return bool(psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


async def says(log: Path, word: str) -> bool:
    return word in log.read_text()
