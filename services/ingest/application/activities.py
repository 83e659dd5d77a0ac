"""What earns without a purchase: recorded once per source, member, activity and reference."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ingest.application.ports import Activities, ActivityRow
from services.ingest.application.refusals import ActivityConflict, MemberUnknown
from services.ingest.domain.identity import EventId, MemberId, activity_id


class ActivityPaper(Protocol):
    """One activity as it was sent."""

    def as_activity(self, event_id: EventId, member_id: MemberId, recorded_at: datetime) -> bytes:
        """The canonical `activities` value."""
        ...


@dataclass(frozen=True, slots=True)
class ActivitySubmission:
    source: str
    activity: str
    reference: str
    identity: bytes
    fingerprint: bytes
    paper: ActivityPaper


async def record_activity(books: Activities, submission: ActivitySubmission, recorded_at: datetime) -> EventId:
    member_id = await books.member_of(submission.identity)
    if member_id is None:
        raise MemberUnknown("nobody has this identity")
    event_id = activity_id(
        source=submission.source,
        member_id=member_id,
        activity=submission.activity,
        reference=submission.reference,
    )
    body = submission.paper.as_activity(event_id, member_id, recorded_at)
    row = ActivityRow(event_id, member_id, submission.fingerprint, recorded_at, body)
    if await books.add(row) != submission.fingerprint:
        raise ActivityConflict(event_id)
    return event_id
