"""What the notifier answers over HTTP."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from schemas.base import Instant, UuidText
from services.notifier.application.ports import Histories, MessageHistory
from services.notifier.domain.messages import BirthdayComes, MemberId
from services.runtime.http.auth import Principal, require
from services.runtime.http.problem import Problem

PAGE_MAX = 100
Reader = Annotated[Principal, require("messages:read")]


class StepOut(BaseModel):
    """One step; `member_seq` is its number in the member's chain on the topic `messages`."""

    member_seq: int
    fate: str
    reason: str | None
    recorded_at: Instant


class MessageOut(BaseModel):
    """One message and everything that became of it, oldest step first."""

    message_id: str
    campaign: str
    occasion: Literal["tier", "birthday"]
    occurrence: str
    channel: str
    template: str
    purpose: Literal["marketing", "service"]
    programme_version: int
    due_at: Instant
    fate: str | None
    steps: list[StepOut]

    @classmethod
    def of(cls, history: MessageHistory) -> Self:
        message = history.message
        return cls(
            message_id=message.message_id,
            campaign=message.intent.campaign,
            occasion="birthday" if isinstance(message.occasion, BirthdayComes) else "tier",
            occurrence=message.intent.occurrence,
            channel=message.intent.channel,
            template=message.template,
            purpose=message.purpose,
            programme_version=message.programme_version,
            due_at=message.due_at,
            fate=message.fate,
            steps=[
                StepOut(member_seq=step.member_seq, fate=step.fate, reason=step.reason, recorded_at=step.recorded_at)
                for step in history.steps
            ],
        )


class UpcomingOut(BaseModel):
    """A birthday that is looked ahead to, as things stand: it follows the member's birthday and zone and the
    programme."""

    campaign: str
    occurrence: str
    due_at: Instant


class MessagesOut(BaseModel):
    """The newest message first; `next_cursor` null = no more."""

    member_id: str
    upcoming: list[UpcomingOut]
    messages: list[MessageOut]
    next_cursor: str | None


def router(histories: Histories) -> APIRouter:
    routes = APIRouter(tags=["messages"])

    @routes.get("/v1/members/{member_id}/messages")
    async def messages(
        member_id: Annotated[UuidText, Path()],
        _principal: Reader,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 20,
    ) -> MessagesOut:
        """What became of a member's messages."""
        before = int(cursor) if cursor is not None else None
        found = await histories.of_member(MemberId(member_id), before=before, limit=limit + 1)
        if found is None:
            raise Problem(404, "member_unknown", detail="no member has this id")
        page = found[:limit]
        return MessagesOut(
            member_id=member_id,
            upcoming=[
                UpcomingOut(campaign=each.campaign, occurrence=each.occurrence, due_at=each.due_at)
                for each in await histories.upcoming(MemberId(member_id))
            ],
            messages=[MessageOut.of(history) for history in page],
            next_cursor=str(page[-1].ordinal) if len(found) > limit else None,
        )

    return routes
