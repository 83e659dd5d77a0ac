"""Topic `outcomes`: what did not become a purchase, and why; the body sealed, for its retention only."""

from typing import Literal

from schemas.base import Code, Contract, Count, Instant, Sha256Text, ShortText, Token, UuidText

OUTCOME_V1 = "loyalty.outcome.v1"

Fate = Literal["accepted", "unclaimed", "waiting", "review", "ignored", "lapsed", "dead_lettered"]
Verdict = Literal["kept_first", "accepted_second"]


class ConflictDecision(Contract):
    """What a person made of a second checkout under an id that was taken; its `sealed_body` is the second's."""

    verdict: Verdict
    reason: Code
    """Why the second one was set aside."""

    fingerprint: Sha256Text
    identity_digest: Sha256Text | None = None
    accepted_as: UuidText | None = None
    """The event id of its own under which a second sale was let in."""

    decided_by: ShortText
    why: ShortText


class Outcome(Contract):
    """What the door made of a checkout (CloudEvents type `loyalty.outcome.v1`), numbered per event."""

    event_id: UuidText
    outcome_seq: Count
    fate: Fate
    reason: Code | None = None
    source: Token | None = None
    occurred_at: Instant | None = None
    recorded_at: Instant
    fingerprint: Sha256Text | None = None
    identity_digest: Sha256Text | None = None
    original_id: UuidText | None = None
    waits_until: Instant | None = None
    """Of what is unclaimed or waits: the first instant at which it no longer does. Of what lapsed: that instant."""

    conflict: ConflictDecision | None = None
    """Set where a conflict was decided; fate and reason are then those of the first checkout, and did not change."""

    sealed_body: str | None = None
    """base64url of the sealed checkout; personal, unreadable without the seal key."""
