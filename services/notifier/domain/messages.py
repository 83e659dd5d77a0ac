"""What a message is, and the steps that it may take."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, NewType

from services.notifier.domain.ids import id_of

MemberId = NewType("MemberId", str)
MessageId = NewType("MessageId", str)

Fate = Literal["planned", "submitting", "sent", "maybe_sent", "suppressed", "missed"]
Channel = Literal["email", "sms", "webhook", "app"]
Purpose = Literal["marketing", "service"]

REFUSED = "provider_refused"
_MAY_FOLLOW: dict[Fate | None, frozenset[Fate]] = {
    None: frozenset({"planned", "suppressed", "missed"}),
    "planned": frozenset({"submitting", "suppressed", "missed"}),
    "submitting": frozenset({"planned", "sent", "maybe_sent", "suppressed"}),
}


@dataclass(frozen=True, slots=True)
class Intent:
    """What is sent at most once; `occurrence` is the id of the fact (or the year) that the message is about."""

    member_id: MemberId
    campaign: str
    occurrence: str
    channel: Channel

    @property
    def message_id(self) -> MessageId:
        """The same for the same intent, also in a database that was rebuilt."""
        return MessageId(id_of(self.member_id, self.campaign, self.occurrence, self.channel))


@dataclass(frozen=True, slots=True)
class TierReached:
    """The member has come to a tier; `valid_until` None = for ever."""

    tier: str
    effective_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class BirthdayComes:
    """The member's birthday is here or near; `day` is when it is celebrated, in the member's own calendar."""

    day: date


Occasion = TierReached | BirthdayComes


@dataclass(frozen=True, slots=True)
class Message:
    """One message and how far it has come; `attempts` counts its `submitting` steps, `refusals` those refused."""

    intent: Intent
    template: str
    purpose: Purpose
    programme_version: int
    occasion: Occasion
    due_at: datetime
    expires_at: datetime
    """From here on the occasion is history, and history is not sent."""
    fate: Fate | None = None
    attempts: int = 0
    refusals: int = 0

    @property
    def member_id(self) -> MemberId:
        return self.intent.member_id

    @property
    def message_id(self) -> MessageId:
        return self.intent.message_id


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next; `retry_at` goes with `planned` alone."""

    fate: Fate
    reason: str | None = None
    retry_at: datetime | None = None


def evolve(message: Message, step: Step) -> Message:
    """The message after the step; a step that the message may not take is an error of ours."""
    assert step.fate in _MAY_FOLLOW.get(message.fate, frozenset()), f"{message.fate} -> {step.fate}"
    assert step.retry_at is None or step.fate == "planned"
    return replace(
        message,
        fate=step.fate,
        attempts=message.attempts + (step.fate == "submitting"),
        refusals=message.refusals + (step.reason == REFUSED),
    )
