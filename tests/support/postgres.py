"""Databases for tests: a template with every service's tables, made once a run, and a fresh clone for each test."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from services.ops.stack.keys import ensure_keys
from services.ops.stack.providers import dsn
from services.ops.stack.services import existing_services
from sqlalchemy.engine import make_url

from tests.support.stack import locked


def with_database(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def fresh_database(server_url: str, template: str | None) -> AsyncIterator[str]:
    name = f"loyalty_test_{secrets.token_hex(6)}"
    clause = f' TEMPLATE "{template}"' if template else ""
    await _execute(server_url, f'CREATE DATABASE "{name}"{clause}')
    try:
        yield with_database(server_url, name)
    finally:
        await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def template_database(server_url: str, run_dir: Path) -> str:
    """The name of the run's template; whoever asks first migrates it."""
    name = f"loyalty_template_{run_dir.name.removeprefix('loyalty-tests-').replace('-', '_')}"
    done = run_dir / "template.ready"
    with locked(run_dir / "template.lock"):
        if not done.exists():
            asyncio.run(_recreate(server_url, name))
            migrate(with_database(server_url, name), run_dir)
            done.touch()
    return name


def migrate(database_url: str, run_dir: Path) -> None:
    environment = {**os.environ, **ensure_keys(run_dir / "keys"), "LOYALTY_DATABASE_URL": database_url}
    for service in existing_services():
        answer = subprocess.run(
            [sys.executable, "-m", f"services.{service}", "migrate"],
            cwd=Path(__file__).parents[2], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )
        if answer.returncode != 0:
            raise RuntimeError(f"migrations of {service} failed:\n{answer.stdout}{answer.stderr}")


async def _recreate(server_url: str, name: str) -> None:
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await _execute(server_url, f'CREATE DATABASE "{name}"')


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn(server_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
