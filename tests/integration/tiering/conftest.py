from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.programme import ProgrammeDocument
from services.runtime.kafka.topics import apply_topics
from services.tiering.__main__ import SERVICE
from tests.support.points_streams import published
from tests.support.programmes import SMALL
from tests.support.running_services import RunningService, running_service
from tests.support.tiering_worlds import at


@pytest.fixture
async def service(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[RunningService]:
    async with running_service(
        SERVICE, database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics
    ) as running:
        await apply_topics(running.context.kafka, partitions=2)
        yield running


@pytest.fixture
async def service_with_programme(service: RunningService) -> RunningService:
    await service.send(published(ProgrammeDocument.model_validate(SMALL), at(2026, 1, 1)))
    return service
