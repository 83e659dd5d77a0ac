from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.programme.__main__ import SERVICE
from services.runtime.kafka.topics import apply_topics
from tests.support.running_services import RunningService, running_service


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[RunningService]:
    """Without a broker: publishing must not need one."""
    async with running_service(SERVICE, database_url=database_url, keys=tmp_path) as running:
        yield running


@pytest.fixture
async def service_on_kafka(
    kafka: str, clean_topics: str, database_url: str, tmp_path: Path
) -> AsyncIterator[RunningService]:
    async with running_service(
        SERVICE, database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics
    ) as running:
        await apply_topics(running.context.kafka, partitions=1)
        yield running
