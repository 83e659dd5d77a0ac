from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ingest import IngestService, ingest_service


@pytest.fixture
async def bare_ingest(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[IngestService]:
    """A door that knows no programme yet."""
    async with ingest_service(
        kafka=kafka, topic_prefix=clean_topics, database_url=database_url, keys=tmp_path
    ) as service:
        yield service


@pytest.fixture
async def ingest(bare_ingest: IngestService) -> IngestService:
    """A door that knows a programme in CNY."""
    await bare_ingest.publish_programme()
    return bare_ingest
