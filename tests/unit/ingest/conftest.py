import sys
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from tests.support.api_keys import FixedKeys, bearer
from tests.support.door import Counter, door_app


@pytest.fixture(scope="session")
def shared_door() -> tuple[FastAPI, Counter, FixedKeys]:
    """Made once: hundreds of tests send one request each."""
    counter, keys = Counter(), FixedKeys()
    return door_app(counter, keys), counter, keys


@pytest.fixture
def counter(shared_door: tuple[FastAPI, Counter, FixedKeys]) -> Counter:
    _, counter, _ = shared_door
    counter.published.clear()
    counter.away, counter.limit = False, sys.maxsize
    return counter


@pytest.fixture
def keys(shared_door: tuple[FastAPI, Counter, FixedKeys]) -> FixedKeys:
    return shared_door[2]


@pytest.fixture
async def till(
    shared_door: tuple[FastAPI, Counter, FixedKeys], counter: Counter, keys: FixedKeys
) -> AsyncIterator[AsyncClient]:
    """A client whose key may write the checkouts of pos.acme."""
    key = keys.add("till", "checkouts:write", sources=("pos.acme",))
    app, _, _ = shared_door
    async with AsyncClient(transport=ASGITransport(app), base_url="http://ingest", headers=bearer(key)) as client:
        yield client
