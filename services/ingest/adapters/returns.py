"""Returns that wait for their originals, inside one unit of work."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from services.ingest.adapters.books import COLUMNS, entry_of
from services.ingest.application.ports import Kept, Reopen
from services.ingest.domain.identity import EventId, MemberId
from services.runtime.postgres.unit_of_work import UnitOfWork

LOCK_WAITING = f"""
SELECT {COLUMNS} FROM checkout WHERE fate = 'waiting' AND original_id = ANY($1::uuid[])
    AND (waits_until IS NULL OR waits_until > $2)
ORDER BY event_id FOR UPDATE
"""
# Accepted is for ever, so the original need not be locked to be believed.
MATCHED = """
SELECT DISTINCT original.event_id, original.member_id FROM checkout AS waiting
JOIN checkout AS original ON original.event_id = waiting.original_id
WHERE waiting.fate = 'waiting' AND original.fate = 'accepted'
    AND (waiting.waits_until IS NULL OR waiting.waits_until > $1)
LIMIT $2
"""


class PostgresReturns:
    """`reopen` reads a sealed checkout again."""

    def __init__(self, uow: UnitOfWork, reopen: Reopen) -> None:
        self._uow = uow
        self._reopen = reopen

    async def lock_waiting(self, originals: Collection[EventId], now: datetime) -> Sequence[Kept]:
        driver = await self._uow.driver()
        entries = [entry_of(row) for row in await driver.fetch(LOCK_WAITING, sorted(originals), now)]
        return [Kept(entry, self._reopen(entry)) for entry in entries]

    async def matched(self, now: datetime, limit: int) -> Mapping[EventId, MemberId]:
        driver = await self._uow.driver()
        rows = await driver.fetch(MATCHED, now, limit)
        return {EventId(event_id): MemberId(member_id) for event_id, member_id in rows}
