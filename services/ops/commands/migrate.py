"""`loyalty migrate`: brings every schema to the newest migration of this release."""

import json
from typing import Annotated

import typer

from services.ops.session import run, settings
from services.runtime.postgres.migrate import migrate_all


def register(app: typer.Typer) -> None:
    app.command("migrate", epilog="Example: LOYALTY_DATABASE_URL=postgresql+asyncpg://… loyalty migrate")(migrate)


def migrate(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Create or update the schemas, tables and roles of all services; running it again changes nothing."""
    schemas = run(_migrate())
    typer.echo(json.dumps({"migrated": schemas}) if as_json else f"up to date: {', '.join(schemas)}")


async def _migrate() -> list[str]:
    return await migrate_all(settings().database_url.get_secret_value())
