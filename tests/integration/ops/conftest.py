from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime.process.definition import system_clock
from tests.support.commands import Operator, operator_beside
from tests.support.ingest import IngestService, ingest_service
from tests.support.ledger import LedgerService, ledger_service, make_topics


@dataclass(frozen=True)
class Door:
    """Ingest at work, and somebody who looks after it."""

    ingest: IngestService
    operator: Operator


@dataclass(frozen=True)
class Office:
    """The ledger, and somebody who looks after it."""

    ledger: LedgerService
    operator: Operator


@pytest.fixture
async def door(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """No programme is known yet."""
    async with ingest_service(
        kafka=kafka, topic_prefix=clean_topics, database_url=database_url, keys=tmp_path
    ) as ingest:
        with operator_beside(ingest.context, database_url) as operator:
            yield Door(ingest, operator)


@pytest.fixture
async def office(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Its clock stands at the real present; topics of one partition."""
    async with ledger_service(
        database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics, now=system_clock()
    ) as ledger:
        await make_topics(ledger, partitions=1)
        with operator_beside(ledger.running.context, database_url) as operator:
            yield Office(ledger, operator)
