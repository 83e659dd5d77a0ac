"""What was set aside for a person, inside one unit of work."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.ingest.application.deciding import Filed, Ruling, Verdict
from services.ingest.application.ports import ConflictRow
from services.ingest.domain.admission import Reason
from services.ingest.domain.identity import EventId
from services.runtime.postgres.unit_of_work import UnitOfWork

COLUMNS = """
event_id, fingerprint, identity_digest, reason, recorded_at, times, sealed_body,
verdict, decided_by, decided_at, why, accepted_as
"""
FILED = f"""
SELECT {COLUMNS} FROM conflict WHERE event_id = :event_id AND fingerprint = :fingerprint
ORDER BY recorded_at, identity_digest
"""
CLOSE = text("""
UPDATE conflict SET verdict = :verdict, decided_by = :decided_by, decided_at = :decided_at, why = :why,
    accepted_as = :accepted_as, sealed_body = NULL
WHERE event_id = :event_id AND fingerprint = :fingerprint AND identity_digest = :identity_digest
""")


class PostgresConflicts:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def filed(self, event_id: EventId, fingerprint: bytes, *, lock: bool = False) -> Sequence[Filed]:
        statement = text(FILED + (" FOR UPDATE" if lock else ""))
        given = {"event_id": event_id, "fingerprint": fingerprint}
        return [filed_of(row) for row in await self._uow.connection.execute(statement, given)]

    async def close(self, conflicts: Sequence[ConflictRow], ruling: Ruling, decided_at: datetime) -> None:
        decision = {"verdict": ruling.verdict, "decided_by": ruling.by, "decided_at": decided_at, "why": ruling.why}
        decision["accepted_as"] = ruling.accepted_as
        rows = [decision | _key(each) for each in conflicts]
        await self._uow.connection.execute(CLOSE, rows)


def filed_of(row: Any) -> Filed:
    conflict = ConflictRow(
        event_id=EventId(row.event_id),
        reason=Reason(row.reason),
        fingerprint=bytes(row.fingerprint),
        identity=bytes(row.identity_digest) or None,
        recorded_at=row.recorded_at,
        sealed=bytes(row.sealed_body or b""),
    )
    if row.verdict is None:
        return Filed(conflict, row.times)
    accepted_as = None if row.accepted_as is None else EventId(row.accepted_as)
    ruling = Ruling(Verdict(row.verdict), row.decided_by, row.why, accepted_as)
    return Filed(conflict, row.times, ruling, row.decided_at)


def _key(conflict: ConflictRow) -> dict[str, Any]:
    return {
        "event_id": conflict.event_id,
        "fingerprint": conflict.fingerprint,
        "identity_digest": conflict.identity or b"",
    }
