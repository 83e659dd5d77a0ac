"""What becomes of a message that is due: each decision is a step, taken on what was learnt at that moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from services.notifier.domain.messages import REFUSED, Message, Step, TierReached
from services.notifier.domain.planning import Rules

REFUSALS_MAX = 8
RETRY_DELAY_FIRST = timedelta(seconds=30)
RETRY_DELAY_MAX = timedelta(hours=1)

Status = Literal["active", "blocked", "closed", "erased"]


@dataclass(frozen=True, slots=True)
class Contact:
    """Address, consent, status and language as they are at the moment of sending."""

    status: Status
    consent: bool
    address: str | None
    locale: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken the message over."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The message was handed over, and what became of it is not known."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no to this message; `for_good` when asking again is pointless."""

    for_good: bool


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The provider could not be asked: nothing was handed over."""


Delivery = Accepted | Unclear | Refused | Unavailable


def due_step(message: Message, *, tier_now: str | None, rules: Rules, now: datetime) -> Step:
    """The step of a planned message whose time has come."""
    if now >= message.expires_at:
        return Step("missed", "too_old")
    occasion = message.occasion
    if isinstance(occasion, TierReached) and rules.rank(tier_now) < rules.rank(occasion.tier):
        return Step("suppressed", "occasion_over")
    return Step("submitting")


def objection(message: Message, contact: Contact | None) -> Step | None:
    """Why this message must not reach this person, or None."""
    if contact is None:
        return Step("suppressed", "member_unknown")
    if contact.status != "active":
        return Step("suppressed", f"member_{contact.status}")
    if message.purpose == "marketing" and not contact.consent:
        return Step("suppressed", "no_consent")
    if contact.address is None:
        return Step("suppressed", "no_address")
    return None


def delivery_step(message: Message, delivery: Delivery, *, now: datetime) -> Step:
    """The step after the provider's answer; only an answer that proves nothing was accepted leads back."""
    match delivery:
        case Accepted():
            return Step("sent")
        case Unclear():
            return Step("maybe_sent", "no_answer")
        case Refused(for_good=True):
            return Step("suppressed", "undeliverable")
        case Refused():
            if message.refusals + 1 >= REFUSALS_MAX:
                return Step("suppressed", "undeliverable")
            return put_back(message, REFUSED, now=now)
        case Unavailable():
            return put_back(message, "provider_unavailable", now=now)
        case _:
            assert_never(delivery)


def put_back(message: Message, reason: str, *, now: datetime) -> Step:
    """Says on record that nothing was handed over, so that the message may be submitted again later."""
    exponent = min(max(message.attempts - 1, 0), 10)
    return Step("planned", reason, retry_at=now + min(RETRY_DELAY_MAX, RETRY_DELAY_FIRST * 2**exponent))


def interrupted_step() -> Step:
    """A submission that nobody answers for any more may have reached the provider: it is never repeated."""
    return Step("maybe_sent", "interrupted")
