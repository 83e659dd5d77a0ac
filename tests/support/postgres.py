"""Databases for tests: a template with every service's tables, made once a run, and a fresh clone for each test."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from services.ops.stack.providers import dsn
from services.runtime.postgres.migrate import migrate_all
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
    name = _template_name(run_dir)
    done = run_dir / "template.ready"
    with locked(run_dir / "template.lock"):
        if not done.exists():
            # In a thread: the session's fixtures must not touch the event loop of the tests.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _make_template(server_url, name)).result()
            done.touch()
    return name


def drop_template(server_url: str, run_dir: Path) -> None:
    """Only where the server outlives the run."""
    if (run_dir / "template.ready").exists():
        asyncio.run(_execute(server_url, f'DROP DATABASE IF EXISTS "{_template_name(run_dir)}" WITH (FORCE)'))


def _template_name(run_dir: Path) -> str:
    return f"loyalty_template_{run_dir.name.removeprefix('loyalty-tests-')}"


async def _make_template(server_url: str, name: str) -> None:
    await _execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await _execute(server_url, f'CREATE DATABASE "{name}"')
    await migrate_all(with_database(server_url, name))


async def _execute(server_url: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn(server_url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
