"""The counting service in a process of its own, to be killed or frozen at a chosen moment.

`python -m tests.support.counting_process consume|relay BOOTSTRAP PREFIX DATABASE_URL MOMENT`; MOMENT is one of
`never`, `copied` and `frozen` (rows written, COMMIT not sent), `committed` (COMMIT answered) and `resolved` (relay:
rows read, nothing sent). At that moment the process kills itself; for `frozen` and `resolved` it freezes, once, until
somebody lets it go on.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.kafka.consumer import ConsumerLoop
from services.runtime.kafka.relay import Relay, StoredOutboxRow
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from tests.support.counting_handler import (
    GROUP,
    INPUT,
    SCHEMA,
    CountingHandler,
    CountingSource,
    PlainSeal,
    utc_now,
)
from tests.support.counting_world import QUICK, QUICK_RELAY


class FatalDatabase(Database):
    """Dies after the COMMIT of the first transaction that was armed inside."""

    armed = False

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        async with super()._begin() as uow:
            yield uow
        if self.armed:
            die()


class FatalHandler(CountingHandler):
    def __init__(self, moment: str, database: FatalDatabase) -> None:
        super().__init__(relaying=True)
        self._moment = moment
        self._database = database

    async def write(self, uow: UnitOfWork, records: Sequence[Record[str]]) -> None:
        await super().write(uow, records)
        if self._moment == "copied":
            die()
        if self._moment == "frozen":
            self._moment = "never"
            os.kill(os.getpid(), signal.SIGSTOP)
        self._database.armed = self._moment == "committed"


class FatalSource(CountingSource):
    """Kills before the rows are deleted (their Kafka transaction is committed), or freezes before they are sent."""

    def __init__(self, moment: str, database: "BeforeDelete") -> None:
        self._moment = moment
        self._database = database

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        if self._moment == "resolved":
            self._moment = "never"
            os.kill(os.getpid(), signal.SIGSTOP)
        self._database.armed = self._moment == "committed"
        return await super().resolve(connection, rows)


class BeforeDelete(Database):
    """Dies where the first transaction after sending begins: the one that deletes the rows."""

    armed = False

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        if self.armed:
            die()
        async with super()._begin() as uow:
            yield uow


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def consume(kafka: KafkaSettings, url: str, moment: str, stop: asyncio.Event) -> None:
    database = FatalDatabase(create_engine(url, role=None, schema=SCHEMA))
    loop = ConsumerLoop(
        kafka=kafka,
        database=database,
        group=GROUP,
        handlers={INPUT: FatalHandler(moment, database)},
        clock=utc_now,
        seal=PlainSeal(),
        options=QUICK,
    )
    await loop.run(stop)
    await database.dispose()


async def relay(kafka: KafkaSettings, url: str, moment: str, stop: asyncio.Event) -> None:
    database = BeforeDelete(create_engine(url, role=None, schema=SCHEMA))
    source = FatalSource(moment, database)
    running = Relay(
        service="counting", kafka=kafka, database=database, source=source, clock=utc_now, options=QUICK_RELAY
    )
    await running.run(stop)
    await database.dispose()


async def main() -> None:
    role, bootstrap, prefix, url, moment = sys.argv[1:]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    run = {"consume": consume, "relay": relay}[role]
    await run(KafkaSettings(bootstrap, prefix), url, moment, stop)


if __name__ == "__main__":
    asyncio.run(main())
