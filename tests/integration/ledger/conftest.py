"""The ledger with a broker, and the books alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ledger import LedgerService, ledger_service, make_topics, programme
from tests.support.till import Till, new_programme


@pytest.fixture
async def ledger(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[LedgerService]:
    """Topics of two partitions; nothing published yet."""
    async with ledger_service(
        database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics
    ) as service:
        await make_topics(service)
        yield service


@pytest.fixture
async def books(database_url: str, tmp_path: Path) -> AsyncIterator[LedgerService]:
    """No broker: records are handed to the handlers. Programme P is known."""
    async with ledger_service(database_url=database_url, keys=tmp_path) as service:
        await service.record(programme())
        yield service


@pytest.fixture
async def till(database_url: str, tmp_path: Path) -> AsyncIterator[Till]:
    """A till in front of books without a broker; programme P with rewards is known."""
    async with ledger_service(database_url=database_url, keys=tmp_path) as service:
        await service.record(new_programme())
        yield Till(service)
