"""What became of a checkout, as a reader sees it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.application.ports import CheckoutStatus, ConflictStatus
from services.ingest.domain.identity import EventId

CHECKOUT = text("""
SELECT fate, reason, source, member_id, duplicates, waits_until FROM checkout
WHERE event_id = :event_id AND fate IS NOT NULL
""")
CONFLICTS = text("""
SELECT fingerprint, reason, recorded_at, times, verdict, decided_at, accepted_as FROM conflict
WHERE event_id = :event_id ORDER BY recorded_at
""")
DEAD_LETTER = text("""
SELECT code FROM dead_letter WHERE event_ref = :event_ref AND state IN ('open', 'discarded') ORDER BY id LIMIT 1
""")


class PostgresArchive:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def status(self, event_id: EventId) -> CheckoutStatus | None:
        row = (await self._connection.execute(CHECKOUT, {"event_id": event_id})).one_or_none()
        if row is None:
            return await self._dead_lettered(event_id)
        conflicts = await self._connection.execute(CONFLICTS, {"event_id": event_id})
        return CheckoutStatus(
            event_id=event_id,
            fate=row.fate,
            reason=row.reason,
            source=row.source,
            member_id=row.member_id,
            duplicates=row.duplicates,
            conflicts=[ConflictStatus(**each._mapping) for each in conflicts],
            waits_until=row.waits_until,
        )

    async def _dead_lettered(self, event_id: EventId) -> CheckoutStatus | None:
        found = await self._connection.execute(DEAD_LETTER, {"event_ref": str(event_id)})
        code = found.scalar_one_or_none()
        if code is None:
            return None
        return CheckoutStatus(event_id, "dead_lettered", code, None, None, 0, ())
