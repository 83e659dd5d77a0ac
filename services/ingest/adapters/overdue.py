"""What has waited in vain, inside one unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.ingest.adapters.books import COLUMNS, entry_of
from services.ingest.application.ports import Kept, Reopen
from services.ingest.domain.admission import Fate
from services.runtime.postgres.unit_of_work import UnitOfWork

# Skipped where it is locked: another process of this job has it, or a claim that came just in time.
LOCK_OVERDUE = f"""
SELECT {COLUMNS} FROM checkout WHERE fate = $1 AND fate IN ('unclaimed', 'waiting') AND waits_until <= $2
ORDER BY waits_until LIMIT $3 FOR UPDATE SKIP LOCKED
"""
LOCK_STRANDED = f"""
SELECT {COLUMNS} FROM checkout WHERE fate = 'waiting' AND EXISTS (
    SELECT FROM checkout AS original WHERE original.event_id = checkout.original_id AND original.fate = 'lapsed'
) LIMIT $1 FOR UPDATE SKIP LOCKED
"""


class PostgresOverdue:
    """`reopen` reads a sealed checkout again."""

    def __init__(self, uow: UnitOfWork, reopen: Reopen) -> None:
        self._uow = uow
        self._reopen = reopen

    async def lock_overdue(self, fate: Fate, now: datetime, limit: int) -> Sequence[Kept]:
        driver = await self._uow.driver()
        return self._kept(await driver.fetch(LOCK_OVERDUE, fate, now, limit))

    async def lock_stranded(self, limit: int) -> Sequence[Kept]:
        driver = await self._uow.driver()
        return self._kept(await driver.fetch(LOCK_STRANDED, limit))

    def _kept(self, rows: Sequence[Any]) -> Sequence[Kept]:
        entries = [entry_of(row) for row in rows]
        return [Kept(entry, self._reopen(entry)) for entry in entries]
