"""Sessions, transactions and migrations on a real database."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.ops.stack.providers import dsn
from services.runtime.errors import CommitUnclear
from services.runtime.ports import OutboxRow
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.faults import is_transient, sqlstate
from services.runtime.postgres.migrate import migrate, migrate_all, pending_migrations, services_with_migrations
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from tests.support.counting_world import World


async def test_a_session_has_its_limits_and_its_schema(world: World) -> None:
    settings = ("search_path", "idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "TimeZone")
    async with world.database.read() as connection:
        told = [await connection.scalar(text(f"SHOW {name}")) for name in settings]
    assert told == ["counting", "10s", "5s", "30s", "UTC"]


async def test_a_block_that_fails_leaves_nothing_even_of_a_copy(world: World) -> None:
    async def fail() -> None:
        async with world.database.begin() as uow:
            await uow.add_outbox(OutboxRow("output", "k", str(number)) for number in range(100))
            raise KeyError("after the copy")

    with pytest.raises(KeyError):
        await fail()
    assert await world.outbox_is_empty()


async def test_outbox_rows_keep_their_order_by_copy_and_by_insert(world: World) -> None:
    async with world.database.begin() as uow:
        await uow.add_outbox([OutboxRow("output", "k", "first")])
        await uow.add_outbox(OutboxRow("output", "k", str(number)) for number in range(50))
    rows = await world.query("SELECT ref FROM outbox ORDER BY id")
    assert [row.ref for row in rows] == ["first", *map(str, range(50))]


async def test_a_deadlock_is_tried_again(world: World) -> None:
    await world.execute("INSERT INTO relay_lease VALUES (1, 'a', now()), (2, 'b', now())")
    both_hold_one = asyncio.Barrier(2)
    tries: list[int] = []

    async def lock_in_turn(first: int, second: int) -> None:
        async def work(uow: UnitOfWork) -> None:
            tries.append(first)
            await uow.connection.execute(text("UPDATE relay_lease SET owner = 'x' WHERE shard = :s"), {"s": first})
            if len(tries) <= 2:
                await both_hold_one.wait()
            await uow.connection.execute(text("UPDATE relay_lease SET owner = 'x' WHERE shard = :s"), {"s": second})

        await world.database.run(work)

    await asyncio.gather(lock_in_turn(1, 2), lock_in_turn(2, 1))
    assert len(tries) == 3


async def test_a_connection_lost_on_commit_is_told_as_unclear(world: World) -> None:
    async def lose() -> None:
        async with world.database.begin() as uow:
            await uow.add_outbox([OutboxRow("output", "k", "r")])
            await end_session(world, uow.connection)

    with pytest.raises(CommitUnclear):
        await lose()


async def test_a_connection_lost_inside_is_transient(world: World) -> None:
    async def lose() -> None:
        async with world.database.begin() as uow:
            await end_session(world, uow.connection)
            await uow.add_outbox([OutboxRow("output", "k", "r")])

    with pytest.raises(asyncpg.InterfaceError) as lost:
        await lose()
    assert is_transient(lost.value)


async def test_a_session_that_ended_in_the_pool_is_not_handed_out(world: World) -> None:
    async with world.database.begin() as uow:
        driver = await uow.driver()
        ended = await uow.connection.scalar(text("SELECT pg_backend_pid()"))
    outsider = await asyncpg.connect(dsn(world.database_url))
    await outsider.execute("SELECT pg_terminate_backend($1, 5000)", ended)
    await outsider.close()
    async with asyncio.timeout(5):
        while not driver.is_closed():
            await asyncio.sleep(0.01)
    async with world.database.begin() as uow:
        assert await uow.connection.scalar(text("SELECT pg_backend_pid()")) != ended


async def test_reading_cannot_write(world: World) -> None:
    async def write() -> None:
        async with world.database.read() as connection:
            await connection.execute(text("DELETE FROM outbox"))

    with pytest.raises(DBAPIError) as refused:
        await write()
    assert sqlstate(refused.value) == "25006"
    assert not is_transient(refused.value)
    async with world.database.begin() as uow:
        await uow.connection.execute(text("DELETE FROM outbox"))


async def test_all_migrations_run_on_an_empty_database_and_again_on_the_result(empty_database_url: str) -> None:
    assert await migrate_all(empty_database_url) == services_with_migrations()
    assert await migrate_all(empty_database_url) == services_with_migrations()
    engine = create_async_engine(empty_database_url)
    async with engine.connect() as connection:
        for service in services_with_migrations():
            assert await pending_migrations(service, connection) == []
    await engine.dispose()


async def test_migrations_started_twice_at_once_run_once(empty_database_url: str) -> None:
    service = services_with_migrations()[0]
    await asyncio.gather(*(migrate(service, empty_database_url) for _ in range(3)))


async def test_what_has_not_run_is_told(empty_database_url: str) -> None:
    engine = create_async_engine(empty_database_url)
    async with engine.connect() as connection:
        assert (await pending_migrations("access", connection))[0] == "0001"
    await engine.dispose()


async def test_a_services_role_reaches_its_own_schema_only(empty_database_url: str) -> None:
    await migrate_all(empty_database_url)
    service, other = services_with_migrations()[1:3]
    database = Database(create_engine(empty_database_url, role=f"loyalty_{service}", schema=service))
    async with database.begin() as uow:
        await uow.add_outbox([OutboxRow("t", "k", "r")])
        await uow.connection.execute(text("SELECT id FROM access.api_key"))
    for forbidden in (
        f"SELECT 1 FROM {other}.checkpoint",
        "UPDATE document_version SET body = ''",
        "DELETE FROM alembic_version",
    ):
        assert await refusal(database, forbidden) == "42501"
    await database.dispose()


async def refusal(database: Database, sql: str) -> str | None:
    try:
        async with database.begin() as uow:
            await uow.connection.execute(text(sql))
    except DBAPIError as error:
        return sqlstate(error)
    return None


async def end_session(world: World, connection: AsyncConnection) -> None:
    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
    await world.query("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)
