"""The SQL steps of a redemption and nothing else: same statements, same rows, same size of bytes."""

import uuid
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.adapters.books import SAVE_ACCOUNTS
from services.ledger.adapters.till_books import INSERT_ENTRIES, LOCK_ACCOUNT, SITUATION

WAIT_BRIEFLY = "SET LOCAL lock_timeout = '2s'"
VERSIONS = "SELECT version, starts_at, body FROM document_version ORDER BY version"
CONFIRMED_AT = "SELECT confirmed_at FROM document_confirmation"
ADD_OUTBOX = "INSERT INTO outbox (topic, key, ref) VALUES ($1, $2, $3)"
REMEMBER = """
INSERT INTO idempotency (principal, operation, key, body_hash, status, body) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
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
    """Redeems on connections of the engine's pool; the books that it leaves mean nothing."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._numbers: dict[str, int] = {}
        self._sample: Sample | None = None

    async def redeem(self, member: str) -> None:
        async with self._engine.connect() as connection:
            raw: Any = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            sample = self._sample = self._sample or Sample(*await driver.fetchrow(SAMPLE))
            async with driver.transaction():
                await self._steps(driver, member, sample)

    async def _steps(self, driver: Any, member: str, sample: Sample) -> None:
        event, key = str(uuid.uuid4()), str(uuid.uuid4())
        number = self._numbers[member] = self._numbers.get(member, 1) + 1
        await driver.execute(WAIT_BRIEFLY)
        _, head, state, due_at = await driver.fetchrow(LOCK_ACCOUNT, member)
        await driver.fetchrow(SITUATION, member, event)
        await driver.fetch(VERSIONS)
        await driver.fetchrow(CONFIRMED_AT)
        times = sample.occurred_at, sample.recorded_at
        row = (member, number, event, sample.part, sample.type, *times, sample.fact, sample.hash)
        await driver.execute(INSERT_ENTRIES, *([value] for value in row))
        await driver.execute(SAVE_ACCOUNTS, [member], [number], [head], [state], [due_at])
        await driver.execute(ADD_OUTBOX, "points", member, str(number))
        await driver.execute(REMEMBER, "bench", f"redeem points {member}", key, bytes(32), 201, sample.answer)
