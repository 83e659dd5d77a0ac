from collections.abc import AsyncIterator

import pytest

from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Database]:
    """A session as the login role, as `loyalty keys` has it."""
    database = Database(create_engine(database_url, role=None, schema="access", pool_size=2))
    yield database
    await database.dispose()


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Database]:
    """A session as a service has it."""
    database = Database(create_engine(database_url, role="loyalty_members", schema="members", pool_size=4))
    yield database
    await database.dispose()
