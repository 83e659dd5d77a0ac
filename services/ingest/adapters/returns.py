"""Returns that wait for their originals, inside one unit of work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.ingest.adapters.books import COLUMNS, entry_of
from services.ingest.adapters.register import Reopen
from services.ingest.application.ports import WaitingReturn
from services.ingest.domain.identity import EventId, MemberId
from services.runtime.postgres.unit_of_work import UnitOfWork

LOCK_WAITING = f"""
SELECT {COLUMNS} FROM checkout WHERE fate = 'waiting' AND original_id = ANY($1::uuid[]) ORDER BY event_id FOR UPDATE
"""
# Accepted is for ever, so the original need not be locked to be believed.
MATCHED = """
SELECT DISTINCT original.event_id, original.member_id FROM checkout AS waiting
JOIN checkout AS original ON original.event_id = waiting.original_id
WHERE waiting.fate = 'waiting' AND original.fate = 'accepted' LIMIT $1
"""
LOCK_OVERDUE = f"""
SELECT {COLUMNS} FROM checkout WHERE event_id IN (
    SELECT event_id FROM checkout WHERE fate = 'waiting' AND recorded_at < $1 ORDER BY recorded_at LIMIT $2
) AND fate = 'waiting' ORDER BY event_id FOR UPDATE
"""


class PostgresReturns:
    """`reopen` reads a sealed checkout again."""

    def __init__(self, uow: UnitOfWork, reopen: Reopen) -> None:
        self._uow = uow
        self._reopen = reopen

    async def lock_waiting(self, originals: Collection[EventId]) -> Sequence[WaitingReturn]:
        driver = await self._uow.driver()
        return [self._waiting(row) for row in await driver.fetch(LOCK_WAITING, sorted(originals))]

    async def matched(self, limit: int) -> Mapping[EventId, MemberId]:
        driver = await self._uow.driver()
        return {EventId(event_id): MemberId(member_id) for event_id, member_id in await driver.fetch(MATCHED, limit)}

    async def lock_overdue(self, recorded_before: datetime, limit: int) -> Sequence[WaitingReturn]:
        driver = await self._uow.driver()
        return [self._waiting(row) for row in await driver.fetch(LOCK_OVERDUE, recorded_before, limit)]

    def _waiting(self, row: Any) -> WaitingReturn:
        entry = entry_of(row)
        return WaitingReturn(entry, self._reopen(entry.event_id, entry.sealed or b""))
