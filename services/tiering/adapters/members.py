"""Which members there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tiering.application import KnownMember


@dataclass(frozen=True, slots=True)
class MemberTable:
    """Meets the application's `Members` inside the transaction of its connection."""

    connection: AsyncConnection

    async def save(self, members: Sequence[KnownMember]) -> None:
        # The last word about a member in a batch is its only one: an older version never comes after a newer.
        newest = {member.member_id: member for member in members}
        gone = [member_id for member_id in sorted(newest) if newest[member_id].version is None]
        kept = [newest[member_id] for member_id in sorted(newest) if newest[member_id].version is not None]
        if gone:
            await self.connection.execute(_FORGET, {"member_ids": gone})
        if kept:
            rows = [{"member_id": each.member_id, "version": each.version, "status": each.status} for each in kept]
            await self.connection.execute(_KEEP, rows)


_FORGET = text("DELETE FROM member WHERE member_id = ANY(CAST(:member_ids AS uuid[]))")
_KEEP = text(
    "INSERT INTO member AS known (member_id, version, status) VALUES (CAST(:member_id AS uuid), :version, :status)"
    " ON CONFLICT (member_id) DO UPDATE SET version = excluded.version, status = excluded.status"
    " WHERE known.version < excluded.version"
)
