"""Topics, records and questions for tests of the loop on a real broker and a real database."""

import asyncio
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import Row, text

from services.runtime.kafka.consumer import ConsumerLoop, LoopOptions
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.relay import OutboxSource, Relay, RelayOptions
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Message, Record
from services.runtime.postgres.unit_of_work import Database
from tests.support.counting_handler import GROUP, INPUT, OUTPUT, CountingSource, PlainSeal, utc_now

PATIENCE_SECONDS = 20.0
QUICK = LoopOptions(
    session_timeout_ms=6_000,
    heartbeat_interval_ms=500,
    idle_poll_seconds=0.1,
    not_ready_pause_seconds=0.05,
    backoff_seconds_min=0.02,
    fenced_pause_seconds_min=0.1,
    fenced_pause_seconds_max=0.5,
    caught_up_interval_seconds=0.2,
    stopped_lag_interval_seconds=0.1,
)

QUICK_RELAY = RelayOptions(lease_seconds=2, lease_pause_seconds=0.1, backoff_seconds_min=0.02, batch_rows_max=200)


@dataclass(frozen=True, slots=True)
class World:
    """One test's broker names and database."""

    kafka: KafkaSettings
    database: Database
    database_url: str

    async def publish(self, words: Iterable[tuple[str, str]], *, topic: str = INPUT, first: int = 0) -> list[str]:
        """(key, word) pairs become records with ids `e<number>`."""
        messages = [
            Message(topic, key, word.encode(), {"ce_id": f"e{number}"})
            for number, (key, word) in enumerate(words, first)
        ]
        await self.send(*messages)
        return [message.headers["ce_id"] for message in messages]

    async def send(self, *messages: Message) -> None:
        publisher = KafkaPublisher(self.kafka)
        await publisher.start()
        try:
            await publisher.send_many(messages)
        finally:
            await publisher.stop()

    async def query(self, sql: str, **parameters: Any) -> list[Row[Any]]:
        async with self.database.read() as connection:
            return list((await connection.execute(text(sql), parameters)).all())

    async def execute(self, sql: str, **parameters: Any) -> None:
        async with self.database.begin() as uow:
            await uow.connection.execute(text(sql), parameters)

    async def counted(self) -> list[str]:
        return [row.ce_id for row in await self.query("SELECT ce_id FROM counted ORDER BY id")]

    async def published(self) -> list[Record[bytes | None]]:
        found: list[Record[bytes | None]] = []
        async for records in read_topic(self.kafka, OUTPUT):
            found.extend(records)
        return found

    def loop(self, handler: Handler[Any], options: LoopOptions = QUICK) -> ConsumerLoop:
        return ConsumerLoop(
            kafka=self.kafka,
            database=self.database,
            group=GROUP,
            handlers={INPUT: handler},
            clock=utc_now,
            seal=PlainSeal(),
            options=options,
        )

    @asynccontextmanager
    async def running(self, handler: Handler[Any], options: LoopOptions = QUICK) -> AsyncIterator[ConsumerLoop]:
        loop, stop = self.loop(handler, options), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run(stop))
            try:
                yield loop
            finally:
                stop.set()

    @asynccontextmanager
    async def relaying(self, source: OutboxSource | None = None) -> AsyncIterator[None]:
        stop = asyncio.Event()
        relay = Relay(
            service="counting",
            kafka=self.kafka,
            database=self.database,
            source=source or CountingSource(),
            clock=utc_now,
            options=QUICK_RELAY,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run(stop))
            try:
                yield
            finally:
                stop.set()

    async def outbox_is_empty(self) -> bool:
        return not await self.query("SELECT 1 FROM outbox LIMIT 1")

    @contextmanager
    def process(
        self, role: str, moment: str = "never", *, log: Path = Path(os.devnull)
    ) -> Iterator[subprocess.Popen[bytes]]:
        """`role` consume or relay of `tests.support.counting_process`, ended with the block."""
        arguments = [role, self.kafka.bootstrap, self.kafka.prefix, self.database_url, moment]
        with log.open("wb") as output:
            running = subprocess.Popen(
                [sys.executable, "-m", "tests.support.counting_process", *arguments],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=output,
            )
        try:
            yield running
        finally:
            running.kill()
            running.wait()


async def create_topics(kafka: KafkaSettings, partitions: Mapping[str, int]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(kafka.physical(name), count, replication_factor=1) for name, count in partitions.items()]
        )
    finally:
        await admin.close()


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = monotonic() + seconds
    while not await condition():
        assert monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.03)


def keys_in_order(rows: Iterable[Any]) -> dict[str, list[str]]:
    """The ids of each key in the order given."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_key[row.key].append(row.ce_id)
    return dict(by_key)
