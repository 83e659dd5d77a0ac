"""One platform for all tests of a module: six processes take a while to start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.kafka import delete_topics, new_prefix
from tests.support.line import Line, running_line
from tests.support.postgres import fresh_database


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("line")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(kafka: str, database_server: str, database_template: str, state_dir: Path) -> AsyncIterator[Line]:
    """Programme published, nobody registered."""
    prefix = new_prefix()
    started: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def host() -> None:
        # Fixtures are set up and torn down by different tasks; the stack wants one.
        async with (
            fresh_database(database_server, database_template) as url,
            running_line(kafka=kafka, topic_prefix=prefix, database_url=url, state_dir=state_dir) as line,
        ):
            await line.publish_programme()
            started.set_result(line)
            await over.wait()

    hosting = asyncio.create_task(host())
    try:
        either: list[asyncio.Future[Any]] = [hosting, started]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if hosting.done():
            await hosting
        yield started.result()
    finally:
        over.set()
        await hosting
        await delete_topics(kafka, prefix)
