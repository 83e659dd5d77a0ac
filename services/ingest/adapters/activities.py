"""The door's table of activities, inside one unit of work."""

from uuid import UUID

from sqlalchemy import text

from services.ingest.application.ports import ActivityRow
from services.ingest.domain.identity import MemberId
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork

ACTIVITIES_TOPIC = "activities"
OWNER = text("SELECT member_id FROM identity WHERE digest = :digest FOR SHARE")
ADD = text("""
INSERT INTO activity (member_id, event_id, fingerprint, recorded_at, body)
VALUES (:member_id, :event_id, :fingerprint, :recorded_at, :body) ON CONFLICT DO NOTHING RETURNING event_id
""")
STANDS = text("SELECT fingerprint FROM activity WHERE member_id = :member_id AND event_id = :event_id")


class PostgresActivities:
    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def member_of(self, digest: bytes) -> MemberId | None:
        member_id: UUID | None = (await self._uow.connection.execute(OWNER, {"digest": digest})).scalar_one_or_none()
        return None if member_id is None else MemberId(member_id)

    async def add(self, row: ActivityRow) -> bytes:
        given = {"member_id": row.member_id, "event_id": row.event_id}
        rest = {"fingerprint": row.fingerprint, "recorded_at": row.recorded_at, "body": row.body}
        # The same activity from two apps at once: one inserts, the other waits and then finds it.
        added = (await self._uow.connection.execute(ADD, given | rest)).scalar_one_or_none()
        if added is None:
            return bytes((await self._uow.connection.execute(STANDS, given)).scalar_one())
        await self._uow.add_outbox([OutboxRow(ACTIVITIES_TOPIC, str(row.member_id), str(row.event_id))])
        return row.fingerprint
