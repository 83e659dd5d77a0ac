"""`loyalty up` as a person meets it: started, stopped, killed, started twice, in the way of others."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.ops.stack.choice import Provider, choose_kafka, choose_postgres
from services.ops.stack.probe import look_around
from services.ops.stack.providers import dsn

ROOT = Path(__file__).parents[3]
TIMEOUT_SECONDS = 60


@pytest.fixture(autouse=True)
def _servers_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOYALTY_KAFKA", raising=False)
    monkeypatch.delenv("LOYALTY_DATABASE_URL", raising=False)
    found = look_around()
    if (choose_kafka(found), choose_postgres(found)) != (Provider.JVM, Provider.WHEEL):
        pytest.skip("these tests kill the processes of a local Kafka and a local PostgreSQL")


async def test_data_and_addresses_survive_a_stop_and_a_kill(tmp_path: Path) -> None:
    async with running_up(tmp_path) as first:
        await write_something(first)
        descendants = first.descendants()
        assert await first.end(signal.SIGTERM) == 0
        assert alive(descendants) == []

    async with running_up(tmp_path) as second:
        assert second.addresses["kafka"] == first.addresses["kafka"]
        assert second.addresses["api_key"] == first.addresses["api_key"]
        assert await what_was_written(second) == ("kept", True)
        descendants = second.descendants()
        await second.end(signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, descendants, TIMEOUT_SECONDS)
        assert alive(descendants) == []

    async with running_up(tmp_path) as third:
        assert third.addresses["kafka"] == first.addresses["kafka"]
        assert await what_was_written(third) == ("kept", True)
        assert await third.end(signal.SIGINT) == 0


async def test_a_second_one_and_a_taken_port_are_refused_by_name(tmp_path: Path) -> None:
    async with running_up(tmp_path) as first:
        code, words = await refused(tmp_path)
        assert code == 2
        assert f"already running (pid {first.process.pid}" in words
        port = int(first.addresses["kafka"].rpartition(":")[2])
        assert await first.end(signal.SIGTERM) == 0

    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        code, words = await refused(tmp_path)
    assert code == 2
    assert f"Port {port} of Kafka is taken" in words


async def test_a_stop_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    process = await start(tmp_path)
    assert process.stderr is not None
    while b"Kafka" not in (line := await process.stderr.readline()):
        assert line, "it ended before it came to Kafka"
    descendants = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    assert process.returncode == 0
    assert alive(descendants) == []


@dataclass(frozen=True)
class Up:
    process: asyncio.subprocess.Process
    addresses: dict[str, Any]

    def descendants(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    async def end(self, with_signal: signal.Signals) -> int:
        self.process.send_signal(with_signal)
        await asyncio.wait_for(self.process.communicate(), TIMEOUT_SECONDS)
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def running_up(state_dir: Path) -> AsyncIterator[Up]:
    process = await start(state_dir)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), TIMEOUT_SECONDS)
        if not line:
            _, words = await process.communicate()
            pytest.fail(words.decode())
        yield Up(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def start(state_dir: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ops", "up", "--state-dir", str(state_dir), "--without-services", "--json"),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def refused(state_dir: Path) -> tuple[int | None, str]:
    process = await start(state_dir)
    _, words = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    return process.returncode, words.decode()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running()]


async def write_something(up: Up) -> None:
    connection = await asyncpg.connect(dsn(up.addresses["database_url"]))
    await connection.execute("CREATE TABLE proof AS SELECT 'kept' AS word")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=up.addresses["kafka"])
    await admin.start()
    await admin.create_topics([NewTopic(name="proof", num_partitions=1, replication_factor=1)])
    await admin.close()


async def what_was_written(up: Up) -> tuple[str, bool]:
    connection = await asyncpg.connect(dsn(up.addresses["database_url"]))
    word = await connection.fetchval("SELECT word FROM proof")
    await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=up.addresses["kafka"])
    await admin.start()
    topics = await admin.list_topics()
    await admin.close()
    return word, "proof" in topics
