"""Topic `outcomes`: what did not become a purchase, and why; the body sealed, for its retention only."""

from typing import Literal

from schemas.base import Code, Contract, Count, Instant, Sha256Text, Token, UuidText

OUTCOME_V1 = "loyalty.outcome.v1"

Fate = Literal["accepted", "unclaimed", "waiting", "review", "ignored", "lapsed", "dead_lettered"]


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
    sealed_body: str | None = None
    """base64url of the sealed checkout; personal, unreadable without the seal key."""
