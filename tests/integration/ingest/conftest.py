from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
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


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The door's tables, as its role."""
    database = Database(create_engine(database_url, role="loyalty_ingest", schema="ingest"))
    yield database
    await database.dispose()


@pytest.fixture
async def onlooker(database_url: str) -> AsyncIterator[Database]:
    """Sees what other sessions wait for, as the service's role may not."""
    onlooker = Database(create_engine(database_url, role=None, schema="ingest", pool_size=1))
    yield onlooker
    await onlooker.dispose()
