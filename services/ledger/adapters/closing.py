"""Books that are being made again: one rebuild at a time, and nobody else writes an account until they are whole."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import text

from services.ledger.adapters.books import POINTS_TOPIC
from services.ledger.adapters.publication import SOURCE, PointsOwner
from services.ledger.adapters.replaying import cut_partitions
from services.runtime.errors import HaltError
from services.runtime.kafka import checkpoints
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.kafka.groups import group_members
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.reader import begin_offsets
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.faults import sqlstate
from services.runtime.postgres.migrate import pending_migrations, role_of
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

LOCK_NOT_AVAILABLE = "55P03"
# For as long as the rebuild lasts; a migration takes the same lock.
PATIENT = text("SET LOCAL idle_in_transaction_session_timeout = 0")
LOCK_SCHEMA = text("LOCK TABLE alembic_version IN SHARE ROW EXCLUSIVE MODE NOWAIT")
IS_OWNER = text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'account'::regclass")
RELAY_AT_WORK = text("SELECT owner FROM relay_lease WHERE expires_at > clock_timestamp()")
# Every decision locks its account, which needs the right to write it. Whoever holds such a lock is waited for.
WAIT_FOR_WRITERS = text("LOCK TABLE account IN EXCLUSIVE MODE")
CLOSE = text(f"REVOKE INSERT, UPDATE, DELETE ON account FROM {role_of(SOURCE)}")
OPEN = text(f"GRANT INSERT, UPDATE, DELETE ON account TO {role_of(SOURCE)}")


async def topic_is_ahead(database: Database, kafka: KafkaSettings) -> HaltError | None:
    """What halts the service: its topic ends with a fact that the books lack, or a rebuild was not finished."""
    try:
        await check_topics_not_ahead(kafka=kafka, database=database, owner=PointsOwner())
    except HaltError as halt:
        return halt
    return None


async def check_schema(database: Database) -> None:
    """HaltError where migrations are missing."""
    async with database.read() as connection:
        if pending := await pending_migrations(SOURCE, connection):
            raise HaltError(f"the schema {SOURCE} is behind: {', '.join(pending)}", "run `loyalty migrate`")


async def check_owner(database: Database) -> None:
    """HaltError where the login may not take rights from the service's role."""
    async with database.read() as connection:
        if not await connection.scalar(IS_OWNER):
            raise HaltError(
                "this login does not own the ledger's tables",
                "set LOYALTY_DATABASE_URL to the login that runs `loyalty migrate`",
            )


@asynccontextmanager
async def only_rebuild(database: Database) -> AsyncIterator[None]:
    """HaltError where another one, or a migration, is under way."""
    async with database.engine.connect() as connection:
        await connection.execute(PATIENT)
        try:
            await connection.execute(LOCK_SCHEMA)
        except Exception as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
            raise HaltError("another rebuild or a migration of the ledger is running", "wait until it ends") from None
        yield
        await connection.rollback()


async def check_can_be_filled(database: Database, kafka: KafkaSettings) -> None:
    """HaltError for what would spoil a rebuild; nothing has been changed by then."""
    if cut := await cut_partitions(kafka):
        raise HaltError(
            f"topic `{POINTS_TOPIC}` no longer begins where the streams begin (first offsets {cut})",
            "the books cannot be made from it: restore the newest backup of schema `ledger`, and check the retention",
        )
    async with database.read() as connection:
        working = list(await connection.scalars(RELAY_AT_WORK)) or await group_members(kafka, SOURCE)
    if working:
        raise HaltError(
            f"a ledger process is at work ({', '.join(sorted(set(working)))})",
            "stop or restart every process of the ledger, which then waits for the rebuild;"
            " one that was killed counts for up to a minute",
        )


async def close_books(uow: UnitOfWork) -> None:
    """From the commit on the service's role can decide nothing, and the guard keeps it halted."""
    await uow.connection.execute(WAIT_FOR_WRITERS)
    await uow.connection.execute(CLOSE)


async def open_books(uow: UnitOfWork, beginnings: Mapping[PartitionId, int]) -> None:
    """Lets the service go on, with all of its inputs before it again."""
    for of, offset in beginnings.items():
        await checkpoints.move(uow, of, to_offset=offset)
    await uow.connection.execute(OPEN)


async def input_beginnings(database: Database, kafka: KafkaSettings) -> dict[PartitionId, int]:
    """Where each partition begins in which the ledger has a position; where it has none it begins there by itself."""
    async with database.read() as connection:
        positions = await checkpoints.positions(connection, SOURCE)
    begins = {topic: await begin_offsets(kafka, topic) for topic in sorted({of.topic for of in positions})}
    return {of: begins[of.topic][of.partition] for of in positions}
