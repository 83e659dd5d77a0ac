"""What the ledger knows of members besides their points: that they exist, and their status."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.members import MemberState
from services.runtime.postgres.unit_of_work import UnitOfWork

SAVE = text("""
INSERT INTO member_status (member_id, version, status) VALUES (:member_id, :version, :status)
ON CONFLICT (member_id) DO UPDATE SET version = excluded.version, status = excluded.status
WHERE member_status.version < excluded.version
""")
FORGET_ALL = text("DELETE FROM member_status")
FORGET = text("DELETE FROM member_status WHERE member_id = ANY (CAST(:members AS uuid[]))")
STATUS_OF = text("SELECT status FROM member_status WHERE member_id = CAST(:member_id AS uuid)")


class PostgresStatuses:
    """Statuses within one unit of work; the higher version wins, because a compacted topic may repeat a lower one."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def save(self, states: Sequence[MemberState]) -> None:
        if states:
            await self._uow.connection.execute(
                SAVE,
                [{"member_id": s.member_id, "version": s.version, "status": s.status} for s in states],
            )

    async def forget(self, members: Sequence[str]) -> None:
        if members:
            await self._uow.connection.execute(FORGET, {"members": list(members)})

    async def forget_all(self) -> None:
        """Before topic `members` is read from its beginning: whoever is no longer in it is a member no more."""
        await self._uow.connection.execute(FORGET_ALL)


async def status_of(connection: AsyncConnection, member_id: str) -> str | None:
    """The member's status; None where the ledger has not heard of the member."""
    return (await connection.execute(STATUS_OF, {"member_id": member_id})).scalar_one_or_none()
