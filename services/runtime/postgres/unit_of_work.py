"""One transaction at a time: what a handler or a command writes, and the retries around it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from services.runtime.errors import CommitUnclear
from services.runtime.ports import OutboxRow
from services.runtime.postgres.faults import is_connection_lost, is_transient

T = TypeVar("T")

RETRIES_MAX = 5
RETRY_DELAY_SECONDS_MAX = 1.0
COPY_FROM_ROWS = 8
ADD_OUTBOX = """
INSERT INTO outbox (topic, key, ref)
SELECT topic, key, ref FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS row (topic, key, ref, number)
ORDER BY number
"""


class UnitOfWork:
    """One open transaction; whoever opened it commits it, never the code it is handed to."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._driver: Any = None

    async def driver(self) -> Any:
        """The asyncpg connection inside this transaction, for COPY and other hot paths."""
        if self._driver is None:
            raw = await self.connection.get_raw_connection()
            self._driver = raw.driver_connection
        # The dialect begins lazily: a COPY on the driver alone would commit by itself.
        if not self._driver.is_in_transaction():
            await self.connection.execute(text("SELECT 1"))
        assert self._driver.is_in_transaction()
        return self._driver

    async def add_outbox(self, rows: Iterable[OutboxRow]) -> None:
        """Keeps the order given, which is the order of publication within a key."""
        values = [(row.topic, row.key, row.ref) for row in rows]
        if len(values) >= COPY_FROM_ROWS:
            driver = await self.driver()
            await driver.copy_records_to_table("outbox", records=values, columns=("topic", "key", "ref"))
        elif values:
            await (await self.driver()).execute(ADD_OUTBOX, *map(list, zip(*values, strict=True)))


class Database:
    """A service's own database: transactions that commit at their end, reads, and retries of what is transient."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Commits at the end of the block, rolls back on any error; raises CommitUnclear where COMMIT got no answer."""
        return self._begin()

    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Runs `work` in a transaction, again from the start where serialisation, a deadlock or a lost
        connection ended it before COMMIT; `work` must have no effect outside the transaction."""
        for attempt in range(RETRIES_MAX):
            try:
                async with self.begin() as uow:
                    return await work(uow)
            except CommitUnclear:
                raise
            except Exception as error:
                if attempt + 1 == RETRIES_MAX or not is_transient(error):
                    raise
            await asyncio.sleep(_retry_delay_seconds(attempt))
        raise AssertionError("the last attempt returns or raises")

    def read(self, *, snapshot: bool = False) -> AbstractAsyncContextManager[AsyncConnection]:
        """A read-only transaction; with `snapshot` every statement sees the same moment."""
        return self._read(snapshot)

    async def dispose(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[UnitOfWork]:
        async with self._engine.connect() as connection:
            transaction = await connection.begin()
            try:
                yield UnitOfWork(connection)
            except BaseException:
                await _roll_back(transaction)
                raise
            await _commit(transaction)

    @asynccontextmanager
    async def _read(self, snapshot: bool) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
            await connection.execution_options(isolation_level=level, postgresql_readonly=True)
            yield connection


async def _commit(transaction: AsyncTransaction) -> None:
    try:
        await transaction.commit()
    except Exception as error:
        if is_connection_lost(error):
            raise CommitUnclear("the connection was lost on COMMIT") from error
        raise


async def _roll_back(transaction: AsyncTransaction) -> None:
    try:
        await transaction.rollback()
    except Exception as error:
        # The server rolls back whatever a lost connection had open; the first error is the one to tell.
        if not is_transient(error):
            raise


def _retry_delay_seconds(attempt: int) -> float:
    return random.uniform(0.5, 1.0) * min(RETRY_DELAY_SECONDS_MAX, 0.02 * 4.0**attempt)
