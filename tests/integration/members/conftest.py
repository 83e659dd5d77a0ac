from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.members import MembersService, members_service


@pytest.fixture
async def service(database_url: str, tmp_path: Path) -> AsyncIterator[MembersService]:
    """The members service on a database of this test's own."""
    async with members_service(database_url, tmp_path) as service:
        yield service
