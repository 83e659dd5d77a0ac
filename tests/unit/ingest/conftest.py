from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient

from tests.support.api_keys import FixedKeys, bearer
from tests.support.door import Counter, door_app


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def keys() -> FixedKeys:
    return FixedKeys()


@pytest.fixture
async def till(counter: Counter, keys: FixedKeys) -> AsyncIterator[AsyncClient]:
    """A client whose key may write the checkouts of pos.acme."""
    key = keys.add("till", "checkouts:write", sources=("pos.acme",))
    app = door_app(counter, keys)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://ingest", headers=bearer(key)) as client:
        yield client
