"""What became of a member's messages, for people and their tools."""

from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from sqlalchemy import text

from services.notifier.adapters.store import message_of
from services.notifier.application.ports import MessageHistory, MessageStep, Upcoming
from services.notifier.domain.messages import MemberId
from services.runtime.postgres.unit_of_work import Database


@dataclass(frozen=True, slots=True)
class PostgresHistories:
    """Reads in one snapshot: a message never lacks the step that its row already shows."""

    database: Database

    async def of_member(self, member_id: MemberId, *, before: int | None, limit: int) -> list[MessageHistory] | None:
        member = UUID(member_id)
        async with self.database.read(snapshot=True) as connection:
            if not await connection.scalar(_KNOWN, {"member": member}):
                return None
            asked = {"member": member, "before": before, "limit": limit}
            rows = (await connection.execute(_HISTORY, asked)).all()
        grouped = (list(steps) for _, steps in groupby(rows, key=lambda row: row.message_id))
        return [
            MessageHistory(
                message=message_of(steps[0]),
                ordinal=steps[0].ordinal,
                steps=tuple(MessageStep(s.member_seq, s.step, s.reason, s.recorded_at) for s in steps),
            )
            for steps in grouped
        ]

    async def upcoming(self, member_id: MemberId) -> list[Upcoming]:
        async with self.database.read() as connection:
            rows = await connection.execute(_UPCOMING, {"member": UUID(member_id)})
            return [Upcoming(row.campaign, row.occurrence, row.due_at) for row in rows]


_KNOWN = text(
    "SELECT EXISTS (SELECT FROM member_state WHERE member_id = :member)"
    " OR EXISTS (SELECT FROM stream WHERE member_id = :member)"
)
_HISTORY = text(
    "WITH page AS ("
    "  SELECT message_id, min(member_seq) AS ordinal FROM message_event WHERE member_id = :member"
    "  GROUP BY message_id HAVING CAST(:before AS bigint) IS NULL OR min(member_seq) < :before"
    "  ORDER BY ordinal DESC LIMIT :limit)"
    " SELECT m.*, page.ordinal, e.member_seq, e.fate AS step, e.reason, e.recorded_at FROM page"
    " JOIN message m ON m.member_id = :member AND m.message_id = page.message_id"
    " JOIN message_event e ON e.member_id = :member AND e.message_id = page.message_id"
    " ORDER BY page.ordinal DESC, e.member_seq"
)
_UPCOMING = text(
    "SELECT campaign, occurrence, due_at FROM agenda WHERE member_id = :member ORDER BY due_at, campaign, occurrence"
)
