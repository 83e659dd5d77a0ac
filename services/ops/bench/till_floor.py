"""The SQL steps of a redemption and nothing else: same statements, same rows, same size of bytes."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.adapters.books import SAVE_ACCOUNTS
from services.ledger.adapters.till_books import INSERT_ENTRIES, LOCK_ACCOUNT, SITUATION, WAIT_BRIEFLY
from services.runtime.documents import known_starts
from services.runtime.http.idempotency import REMEMBER
from services.runtime.postgres.unit_of_work import ADD_OUTBOX

SAMPLE = """
SELECT e.event_id::text, e.part, e.type, e.occurred_at, e.recorded_at, e.fact, e.hash, i.body AS answer
FROM entry e, idempotency i WHERE e.type = 'points_redeemed' LIMIT 1
"""


class Sample(NamedTuple):
    """What the use case wrote for one redemption."""

    event_id: str
    part: int
    type: str
    occurred_at: Any
    recorded_at: Any
    fact: bytes
    hash: bytes
    answer: bytes


class BareTill:
    """Redeems on driver connections of its own; the books that it leaves mean nothing."""

    def __init__(self, drivers: Sequence[Any], sample: Sample) -> None:
        self._drivers = list(drivers)
        self._sample = sample
        self._numbers: dict[str, int] = {}

    async def redeem(self, member: str) -> None:
        driver = self._drivers.pop()
        async with driver.transaction():
            await self._steps(driver, member, self._sample)
        self._drivers.append(driver)

    async def _steps(self, driver: Any, member: str, sample: Sample) -> None:
        event, key = str(uuid.uuid4()), str(uuid.uuid4())
        number = self._numbers[member] = self._numbers.get(member, 1) + 1
        await driver.execute(WAIT_BRIEFLY)
        _, head, state, due_at = await driver.fetchrow(LOCK_ACCOUNT, member)
        await driver.fetchrow(SITUATION, member, event)
        await known_starts(driver)
        times = sample.occurred_at, sample.recorded_at
        row = (member, number, event, sample.part, sample.type, *times, sample.fact, sample.hash)
        await driver.execute(INSERT_ENTRIES, *([value] for value in row))
        await driver.execute(SAVE_ACCOUNTS, [member], [number], [head], [state], [due_at])
        await driver.execute(ADD_OUTBOX, ["points"], [member], [str(number)])
        await driver.execute(REMEMBER, "bench", f"redeem points {member}", key, bytes(32), 201, sample.answer)


@asynccontextmanager
async def bare_till(engine: AsyncEngine, connections: int) -> AsyncIterator[BareTill]:
    """Takes its connections from the engine, for the same session settings, and keeps them while it works."""
    async with AsyncExitStack() as taken:
        borrowed = [await taken.enter_async_context(engine.connect()) for _ in range(connections)]
        drivers: list[Any] = [(await each.get_raw_connection()).driver_connection for each in borrowed]
        yield BareTill(drivers, Sample(*await drivers[0].fetchrow(SAMPLE)))
