"""The notifier as a process of its own, to be killed; what it recorded is read from its database."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from schemas.programme import ProgrammeDocument
from services.ops.stack.keys import ensure_keys
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from tests.support.contact_desk import KEY
from tests.support.notifier import programme_record

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 40.0
LEASE_SECONDS = 6
_STEPS = text("SELECT fate, reason FROM message_event ORDER BY member_id, member_seq")


@dataclass
class NotifierHost:
    """Starts lives of the notifier that share topics, tables and settings."""

    environment: dict[str, str]
    database: Database
    kafka: KafkaSettings
    log: Path
    _lives: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *roles: str) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            life = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.notifier", *roles,
                cwd=ROOT, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._lives.append(life)
        return life

    async def publish(self, document: ProgrammeDocument, *records: Record[bytes | None]) -> None:
        publisher = KafkaPublisher(self.kafka)
        await publisher.start()
        try:
            for record in (programme_record(document), *records):
                await publisher.send(_message(record))
        finally:
            await publisher.stop()

    async def recorded(self, *steps: tuple[str, str | None]) -> None:
        """Returns once exactly these steps are on record."""
        found: list[tuple[str, str | None]] = []
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while found != list(steps):
                    await asyncio.sleep(0.05)
                    found = await self.steps()
        except TimeoutError:
            raise AssertionError(f"recorded {found}, not {steps}\n{self.log.read_text()[-4000:]}") from None

    async def steps(self) -> list[tuple[str, str | None]]:
        async with self.database.read() as connection:
            return [(row.fate, row.reason) for row in await connection.execute(_STEPS)]

    async def given(self) -> list[str]:
        """References of the gifts that are published, once there is one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            gifts: list[str] = []
            while not gifts:
                records = [record async for batch in read_topic(self.kafka, "activities") for record in batch]
                gifts = [json.loads(record.value or b"")["reference"] for record in records]
            return gifts

    async def stop(self) -> None:
        for life in self._lives:
            if life.returncode is None:
                await kill(life)


@asynccontextmanager
async def notifier_host(
    *, kafka: str, topic_prefix: str, database_url: str, members_url: str, smtp_port: int, directory: Path
) -> AsyncIterator[NotifierHost]:
    settings = KafkaSettings(kafka, prefix=topic_prefix)
    await apply_topics(settings, partitions=1)
    environment = {
        **os.environ,
        **ensure_keys(directory / "keys"),
        "LOYALTY_KAFKA": kafka,
        "LOYALTY_TOPIC_PREFIX": topic_prefix,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_MEMBERS_URL": members_url,
        "LOYALTY_NOTIFIER_KEY": KEY,
        "LOYALTY_NOTIFIER_LEASE": f"PT{LEASE_SECONDS}S",
        "LOYALTY_NOTIFIER_PORT": "0",
        "LOYALTY_SMTP_PORT": str(smtp_port),
    }
    database = Database(create_engine(database_url, role=None, schema="notifier", pool_size=2))
    host = NotifierHost(environment, database, settings, directory / "notifier.log")
    try:
        yield host
    finally:
        await host.stop()
        await database.dispose()


async def kill(life: asyncio.subprocess.Process) -> None:
    life.send_signal(signal.SIGKILL)
    await life.wait()


def _message(record: Record[bytes | None]) -> Message:
    assert record.key is not None
    return Message(record.topic, record.key, record.value, record.headers)
