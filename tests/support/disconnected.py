"""The services as their `__main__` defines them, joined to a database and a broker that nobody will answer for."""

from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.runtime.http.app import create_app
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.key_files import write_key_file
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process import Context, ServiceDefinition

NAMES = ("ingest", "ledger", "members", "notifier", "programme", "tiering")
NOWHERE = "127.0.0.1:1"


def definition_of(service: str) -> ServiceDefinition[Any]:
    module = vars(import_module(f"services.{service}.__main__"))
    return next(each for each in module.values() if isinstance(each, ServiceDefinition))


def disconnected(definition: ServiceDefinition[Any], keys: Path) -> Context[Any]:
    files = {name: keys / name for name in ("identity_key_file", "seal_key_file", "vault_key_file")}
    for file in files.values():
        if not file.exists():
            write_key_file(file)
    settings = definition.settings.load(definition.name, kafka=NOWHERE, **files)
    engine = create_engine(f"postgresql+asyncpg://{NOWHERE}/nowhere", role=None, schema=definition.name)
    return Context(settings, Database(engine), KafkaSettings(NOWHERE, "nowhere."))


def app_of(service: str, keys: Path) -> FastAPI:
    definition = definition_of(service)
    assert definition.api is not None
    api = definition.api(disconnected(definition, keys))
    return create_app(
        title=service, routers=api.routers, readiness=Readiness(), refusals=api.refusals, streamed=api.streamed
    )
