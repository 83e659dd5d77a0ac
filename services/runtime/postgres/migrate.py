"""Migrations: one schema, one role and one version table per service."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

SHARED_SCHEMA = "access"
LOCK_TIMEOUT = "5s"
_SERVICES_ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = Path(__file__).resolve().parent / "alembic_env"


async def migrate(service: str, url: str) -> None:
    """Brings the schema `service` to its newest migration; `access` is the shared schema of API keys."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        await _prepare_schema(engine, service)
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.execute(text(f"SET LOCAL search_path = {service}"))
            # Two migrations of one service at once: the second waits here and then finds nothing to do.
            await connection.execute(text(f"LOCK TABLE {service}.alembic_version IN SHARE ROW EXCLUSIVE MODE"))
            await connection.run_sync(_upgrade(service))
    finally:
        await engine.dispose()


async def migrate_all(url: str) -> list[str]:
    """Migrates `access` first and then every service that has migrations; answers their names in that order."""
    names = services_with_migrations()
    for name in names:
        await migrate(name, url)
    return names


async def pending_migrations(service: str, connection: AsyncConnection) -> list[str]:
    """Revisions known to this code that the database lacks, oldest first; empty = the schema is current."""
    script = ScriptDirectory.from_config(_config(service))
    exists = await connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"{service}.alembic_version"})
    applied: str | None = None
    if exists is not None:
        applied = await connection.scalar(text(f"SELECT version_num FROM {service}.alembic_version"))
    known = {revision.revision for revision in script.walk_revisions()}
    if applied is not None and applied not in known:
        # A newer release has migrated already; its migrations only add, so older code may go on.
        return []
    missing = script.iterate_revisions("head", applied or "base")
    return [revision.revision for revision in missing][::-1]


def services_with_migrations() -> list[str]:
    """`access`, then the services in alphabetical order."""
    found = sorted(path.parent.parent.name for path in _SERVICES_ROOT.glob("*/migrations/versions"))
    return [name for name in (SHARED_SCHEMA, *found) if _has_revisions(_versions(name))]


def role_of(service: str) -> str:
    return f"loyalty_{service}"


async def _prepare_schema(engine: AsyncEngine, service: str) -> None:
    async with engine.begin() as connection:
        if service != SHARED_SCHEMA:
            await _create_role(connection, role_of(service))
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        await connection.execute(
            text(
                "DO $$ BEGIN"
                f" CREATE SCHEMA IF NOT EXISTS {service};"
                f" CREATE TABLE IF NOT EXISTS {service}.alembic_version (version_num varchar(32) NOT NULL,"
                " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
                " EXCEPTION WHEN unique_violation OR duplicate_table OR duplicate_object THEN NULL; END $$"
            )
        )


async def _create_role(connection: AsyncConnection, role: str) -> None:
    # Roles belong to the whole cluster: another database's migration may create the same one right now.
    await connection.execute(
        text(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN"
            f" CREATE ROLE {role} NOLOGIN; END IF;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    )
    await connection.execute(
        text(
            f"DO $$ BEGIN IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN"
            f" EXECUTE format('GRANT {role} TO %I', current_user); END IF; END $$"
        )
    )


def _upgrade(service: str) -> Callable[[Connection], None]:
    def upgrade(connection: Connection) -> None:
        config = _config(service)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    return upgrade


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_versions(service)))
    config.attributes["schema"] = service
    return config


def _versions(service: str) -> Path:
    if service == SHARED_SCHEMA:
        return _SERVICES_ROOT / "runtime" / "access_migrations" / "versions"
    return _SERVICES_ROOT / service / "migrations" / "versions"


def _has_revisions(versions: Path) -> bool:
    return any(versions.glob("[0-9]*.py"))
