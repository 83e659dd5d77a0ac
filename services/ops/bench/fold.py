"""`loyalty bench fold`: purchases from a topic into the books, by the ledger's own consumer process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import asyncpg
import psutil
from sqlalchemy.engine import make_url

from services.ops.bench.floor import rows_of_the_books, write_floor
from services.ops.bench.ledger_process import ledger_process
from services.ops.bench.purchases import baskets, programme_message
from services.ops.stack.local import LocalStack, StackOptions
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.migrate import migrate_all

POLL_SECONDS = 0.05
STALL_SECONDS_MAX = 120.0
PUBLISH_CHUNK = 5_000
HANDLED = "SELECT coalesce(sum(next_offset), 0) FROM ledger.checkpoint WHERE topic = 'purchases'"
BOOKED = "SELECT count(*) FROM ledger.entry"
UNPUBLISHED = "SELECT count(*) FROM ledger.outbox"

Tell = Callable[[str], None]


class BenchStalledError(Exception):
    """Nothing moved for two minutes; the consumer's log says why."""


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """Rates in purchases a second (`floor_per_second`: rows); `ratio` = fold without relay over floor.

    The CPU is the consumer process's, start included: it stays the same where other programs share the machine.
    """

    purchases: int
    members: int
    facts: int
    record_bytes_mean: int
    fold_per_second: int
    cpu_microseconds_per_purchase: int
    fold_with_relay_per_second: int
    published_per_second: int
    floor_per_second: int
    ratio: float


async def bench_fold(*, purchases: int, members: int, state_dir: Path, tell: Tell) -> FoldFigures:
    """Runs everything on a stack of its own in `state_dir`: broker, database and consumer share this machine."""
    options = StackOptions(state_dir=state_dir, services=(), example_programme=False)
    async with LocalStack(options) as stack:
        tell("publishing the purchases")
        size = await _publish(stack.kafka, purchases, members)
        tell("folding, relay off")
        facts, fold, cpu = await _fold(stack.env, stack.database_url, purchases, state_dir)
        tell("the floor")
        floor = await _floor(stack.database_url, facts)
        tell("folding, relay on")
        async with _second_database(stack.database_url) as url:
            _, with_relay, published = await _fold_and_publish(stack.env, url, purchases, state_dir)
    return FoldFigures(
        purchases=purchases,
        members=members,
        facts=facts,
        record_bytes_mean=size,
        fold_per_second=round(fold),
        cpu_microseconds_per_purchase=round(cpu / purchases * 1_000_000),
        fold_with_relay_per_second=round(with_relay),
        published_per_second=round(published),
        floor_per_second=round(floor),
        ratio=round(fold / floor, 3),
    )


async def _publish(kafka: str, purchases: int, members: int) -> int:
    now = datetime.now(UTC)
    publisher = KafkaPublisher(KafkaSettings(bootstrap=kafka))
    await publisher.start()
    size = 0
    try:
        await publisher.send(programme_message(now))
        stream = baskets(purchases, members, now)
        while chunk := list(islice(stream, PUBLISH_CHUNK)):
            size += sum(len(message.value or b"") for message in chunk)
            await publisher.send_many(chunk)
    finally:
        await publisher.stop()
    return round(size / purchases)


async def _fold(env: dict[str, str], url: str, purchases: int, state_dir: Path) -> tuple[int, float, float]:
    async with ledger_process(env, url, ("consume",), state_dir) as process, _connection(url) as connection:
        rate = await _rate(connection, HANDLED, purchases, process)
        cpu = psutil.Process(process.pid).cpu_times()
        return int(await connection.fetchval(BOOKED)), rate, cpu.user + cpu.system


async def _fold_and_publish(env: dict[str, str], url: str, purchases: int, state_dir: Path) -> tuple[int, float, float]:
    async with ledger_process(env, url, ("consume", "relay"), state_dir) as process, _connection(url) as connection:
        started = time.perf_counter()
        rate = await _rate(connection, HANDLED, purchases, process)
        facts = int(await connection.fetchval(BOOKED))
        await _until_published(connection)
        return facts, rate, facts / (time.perf_counter() - started)


async def _until_published(connection: asyncpg.Connection) -> None:
    while True:
        if not await connection.fetchval(UNPUBLISHED):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _rate(connection: asyncpg.Connection, query: str, target: int, process: asyncio.subprocess.Process) -> float:
    """Records a second from the first committed batch to the last: the start of the process is not the fold."""
    first, first_at, moved_at, last = 0, 0.0, time.perf_counter(), 0
    while True:
        handled, now = int(await connection.fetchval(query)), time.perf_counter()
        if handled and not first:
            first, first_at = handled, now
        if handled >= target:
            return (handled - first) / (now - first_at)
        if handled != last:
            last, moved_at = handled, now
        if now - moved_at > STALL_SECONDS_MAX or process.returncode is not None:
            raise BenchStalledError(f"{handled} of {target} records after {now - moved_at:.0f} s without movement")
        await asyncio.sleep(POLL_SECONDS)


async def _floor(url: str, facts: int) -> float:
    async with _connection(url) as connection:
        return await write_floor(connection, await rows_of_the_books(connection, facts))


@contextlib.asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(_dsn(url))
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _second_database(url: str) -> AsyncIterator[str]:
    # Its own books over the same topic: the second run must not meet the first one's events.
    name = "loyalty_bench_second"
    async with _connection(url) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name}")
    second = make_url(url).set(database=name).render_as_string(hide_password=False)
    await migrate_all(second)
    yield second


def _dsn(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")
