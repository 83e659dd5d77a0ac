"""Transactions of the door that meet on real row locks: one holds what the other wants."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import register
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from tests.support.coming_back import Back, returned
from tests.support.sales import Registered, Send, reopen, submission

NOW = datetime(2026, 3, 12, tzinfo=UTC)
END = NOW + timedelta(days=30)
"""When what begins to wait at `NOW` has waited long enough."""

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LEAVING = "SELECT ref::uuid AS event_id, key::uuid AS member_id FROM outbox WHERE topic = 'purchases' ORDER BY id"

Work = Callable[[UnitOfWork], Awaitable[object]]


def sends(*batch: Send | Back) -> Work:
    async def work(uow: UnitOfWork) -> None:
        sent = [submission(each) if isinstance(each, Send) else returned(each) for each in batch]
        await admit(PostgresBooks(uow), PostgresReturns(uow, reopen), sent, Moment(NOW, END))

    return work


def registers(*members: Registered) -> Work:
    async def work(uow: UnitOfWork) -> None:
        states = [member.state() for member in members]
        tables = PostgresBooks(uow), PostgresRegister(uow, reopen), PostgresReturns(uow, reopen)
        await register(*tables, states, NOW)

    return work


async def purchases(database: Database) -> Sequence[tuple[object, object]]:
    """Event and member, in the order in which they leave."""
    async with database.read() as connection:
        return [(row.event_id, row.member_id) for row in await connection.execute(text(LEAVING))]


async def one_behind_the_other(database: Database, onlooker: Database, first: Work, second: Work) -> object:
    """What the second came to, which began while the first was not yet committed, and had to wait for it."""
    async with database.begin() as uow:
        await first(uow)
        meanwhile = asyncio.create_task(database.run(second))
        async with asyncio.timeout(10):
            while not await _somebody_waits(onlooker):
                await asyncio.sleep(0.01)
    (answer,) = await asyncio.gather(meanwhile, return_exceptions=True)
    return answer


async def _somebody_waits(onlooker: Database) -> bool:
    async with onlooker.read() as connection:
        return bool(await connection.scalar(text(WAITING)))
