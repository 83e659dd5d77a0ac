"""The ledger made again from its topic: when its books are behind, or lost on purpose to show that it works."""

import asyncio

from sqlalchemy import text

from schemas.programme import ProgrammePublished
from services.ledger.adapters.filling import Filled, fill_from_topic
from services.ledger.adapters.statuses import PostgresStatuses
from services.ledger.adapters.streams import Progress
from services.ledger.consumer import MemberHandler
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.groups import group_members
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import system_clock
from services.runtime.settings import ServiceSettings

SERVICE = "ledger"
LOSE = text(f"DROP SCHEMA {SERVICE} CASCADE")
NOTICE_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.2


async def fill_ledger(database: Database, settings: ServiceSettings, progress: Progress) -> Filled:
    """Raises what `fill_from_topic` raises."""
    return await fill_from_topic(
        database,
        settings.kafka_settings(),
        {
            "programme": DocumentHandler(settings.lead, read=ProgrammePublished.model_validate_json),
            "members": MemberHandler(PostgresStatuses),
        },
        clock=system_clock,
        relay_shards=settings.relay_shards,
        progress=progress,
    )


async def lose_and_fill_ledger(database: Database, settings: ServiceSettings, progress: Progress) -> Filled:
    """Drops the ledger's schema, migrates it and fills it again; the running service halts and then goes on.

    Raises TimeoutError where a process of the ledger has not noticed within a minute.
    """
    async with database.begin() as uow:
        await uow.connection.execute(LOSE)
    async with asyncio.timeout(NOTICE_SECONDS_MAX):
        while True:
            if not await group_members(settings.kafka_settings(), SERVICE):
                break
            await asyncio.sleep(LOOK_SECONDS)
    await migrate(SERVICE, settings.database_url.get_secret_value())
    return await fill_ledger(database, settings, progress)
