"""Topic `tiers`: changes of standing, numbered per member."""

from typing import Literal

from schemas.base import Contract, Count, Instant, Points, Token, UuidText

TIER_CHANGED_V1 = "loyalty.tier.changed.v1"

ChangeReason = Literal["reached", "period_end", "return", "late_purchase", "manual", "plan", "correction"]


class MetricWindow(Contract):
    """The window over which the metric was counted: `[starts_at, ends_at)`; null = open on that side."""

    kind: str
    starts_at: Instant | None
    ends_at: Instant | None = None


class TierChanged(Contract):
    """A change of tier with its evidence; tier ids, null = the base tier below the first level.

    `period_end`: what the end of a period left of `from_tier`; `occurred_at` and `effective_from` are that end,
    `metric` is what `window`, the period that ended, had brought, and `threshold` the `keep` that was missed.
    `late_purchase`: what was published for this instant was too low; not `retroactive`, it restores the present tier.
    """

    member_id: UuidText
    member_seq: Count
    event_id: UuidText
    """The id of the cause: the event of the points fact, or (member, period end)."""
    from_tier: Token | None
    to_tier: Token | None
    reason: ChangeReason
    occurred_at: Instant
    effective_from: Instant
    recorded_at: Instant
    valid_until: Instant | None = None
    metric: Points
    threshold: Points
    unit: Token
    window: MetricWindow
    programme_version: Count
    retroactive: bool = False
