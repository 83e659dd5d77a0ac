"""A ledger that loses its books and gets them again from its topic."""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from services.ledger.adapters.filling import Filled
from services.ledger.adapters.streams import no_progress
from services.ops.rebuilding import fill_ledger
from services.runtime.postgres.migrate import migrate
from services.runtime.settings import ServiceSettings
from tests.support.ledger import LedgerService

ROOT = Path(__file__).parents[2]
TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = 'ledger' AND tablename <> 'alembic_version'")


@dataclass(frozen=True)
class Rebuilder:
    """What an operator does, with a ledger that lives in the database of `url`."""

    ledger: LedgerService
    url: str

    async def lose_everything(self) -> None:
        """The schema is dropped and made anew, empty."""
        await self.drop()
        await migrate("ledger", self.url)

    async def drop(self) -> None:
        async with self.ledger.running.owner.begin() as uow:
            await uow.connection.execute(text("DROP SCHEMA ledger CASCADE"))

    async def empty(self) -> None:
        """All rows at once, as if an empty database had been put under the running processes."""
        async with self.ledger.running.owner.begin() as uow:
            tables = list(await uow.connection.scalars(TABLES))
            await uow.connection.execute(text(f"TRUNCATE {', '.join(tables)}"))

    async def fill(self) -> Filled:
        return await fill_ledger(self.ledger.running.owner, self.settings(), no_progress)

    def settings(self) -> ServiceSettings:
        kafka = self.ledger.running.context.kafka
        return ServiceSettings.load("ops", kafka=kafka.bootstrap, topic_prefix=kafka.prefix, database_url=self.url)

    def command(self, *words: str) -> subprocess.Popen[str]:
        """`loyalty` on this database and broker."""
        kafka = self.ledger.running.context.kafka
        own = {
            "LOYALTY_KAFKA": kafka.bootstrap,
            "LOYALTY_TOPIC_PREFIX": kafka.prefix,
            "LOYALTY_DATABASE_URL": self.url,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "services.ops", *words],
            cwd=ROOT, env=os.environ | own, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    async def loyalty(self, *words: str) -> tuple[int, str, str]:
        """Exit code, what was said, and what was complained about."""
        running = self.command(*words)
        out, error = await asyncio.to_thread(running.communicate)
        return running.returncode, out, error
