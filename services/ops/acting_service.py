"""A command that does a service's own work: as its role, with its settings and its code, beside its processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import role_of
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import Context, ServiceDefinition


@dataclass(frozen=True, slots=True)
class ActingService:
    """The parts of a service and what they are made from."""

    definition: ServiceDefinition[Any]
    context: Context[Any]

    async def check_topics_not_ahead(self) -> None:
        """As every process that decides: HaltError upon tables that have forgotten what was published."""
        if self.definition.topic_owner is not None:
            owner = self.definition.topic_owner(self.context)
            await check_topics_not_ahead(kafka=self.context.kafka, database=self.context.database, owner=owner)


@asynccontextmanager
async def acting_as(service: str) -> AsyncIterator[ActingService]:
    """SettingsError where a setting is missing that the service cannot do without."""
    definition = definition_of(service)
    settings = definition.settings.load(service)
    url = settings.database_url.get_secret_value()
    database = Database(create_engine(url, role=role_of(service), schema=service, pool_size=2))
    try:
        yield ActingService(definition, Context(settings=settings, database=database, kafka=settings.kafka_settings()))
    finally:
        await database.dispose()


def definition_of(service: str) -> ServiceDefinition[Any]:
    module = import_module(f"services.{service}.__main__")
    (found,) = (each for each in vars(module).values() if isinstance(each, ServiceDefinition))
    return found
