import argparse
import gc
import sys
from collections.abc import Sequence
from typing import Any

import uvloop

from services.runtime.key_files import KeyFileError
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import SHARED_SCHEMA, migrate, role_of
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import Context, ServiceDefinition
from services.runtime.process.run import ROLES, Process, Role
from services.runtime.settings import ServiceSettings, SettingsError
from services.runtime.telemetry.log import configure_logging, logger

FINE, FAILED, MISUSED = 0, 1, 2
COLLECTOR_ALLOCATIONS = 100_000
COLLECTOR_GENERATIONS = 20
_WORDS = (*ROLES, "migrate")
_log = logger(__name__)


def main(definition: ServiceDefinition[Any], argv: Sequence[str] | None = None) -> None:
    """`python -m services.<name> [role …]`: exits 0 after a graceful stop, 1 on a fault, 2 on wrong use or settings."""
    wanted = _parser(definition.name).parse_args(argv).roles
    try:
        settings = definition.settings.load(definition.name)
        configure_logging(definition.name, level=settings.log_level)
        calm_the_collector()
        uvloop.run(_run(definition, settings, wanted))
    except (SettingsError, KeyFileError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(MISUSED)
    except Exception as error:
        _log.error("process_failed", exc_info=error)
        sys.exit(FAILED)
    sys.exit(FINE)


def calm_the_collector() -> None:
    # A batch makes a hundred thousand objects and no cycles; by default the collector walks them all, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTOR_ALLOCATIONS, COLLECTOR_GENERATIONS, COLLECTOR_GENERATIONS)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}",
        epilog=f"example: python -m services.{name} consume relay",
        description="No role = all but migrate, in one process.",
    )
    parser.add_argument("roles", nargs="*", metavar="role", type=_role, help=", ".join(_WORDS))
    return parser


def _role(word: str) -> str:
    if word not in _WORDS:
        raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(_WORDS)}")
    return word


async def _run(definition: ServiceDefinition[Any], settings: ServiceSettings, wanted: Sequence[str]) -> None:
    if "migrate" in wanted:
        await _migrate(definition.name, settings)
    roles: list[Role] = [role for role in ROLES if role in wanted or not wanted]
    if not roles:
        return
    name = definition.name
    url = settings.database_url.get_secret_value()
    database = Database(create_engine(url, role=role_of(name), schema=name, pool_size=settings.pool_size))
    try:
        context = Context(settings=settings, database=database, kafka=settings.kafka_settings())
        await Process(definition, context, roles).run()
    finally:
        await database.dispose()


async def _migrate(name: str, settings: ServiceSettings) -> None:
    url = settings.database_url.get_secret_value()
    for schema in (SHARED_SCHEMA, name):
        await migrate(schema, url)
        _log.info("migrated", schema=schema)
