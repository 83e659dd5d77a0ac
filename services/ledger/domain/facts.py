"""What the ledger has decided and recorded. A fact has no logic; `evolve` gives it its effect."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, NamedTuple

from services.ledger.domain.causes import Cause, SourcePosition
from services.ledger.domain.evidence import Award, BroughtBack, ReturnedLine, RuleChange, Waived
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Move
from services.ledger.domain.spending_facts import (
    Allotment,
    CommandKey,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    RedemptionCancelled,
    SpendingFact,
)

# Spending lives in a module of its own for its size; whoever needs facts finds all of them here.
__all__ = [
    "ActivityRecorded",
    "Allotment",
    "Cause",
    "CommandKey",
    "Fact",
    "Line",
    "MemberStatusApplied",
    "PointsActivated",
    "PointsCorrected",
    "PointsExpired",
    "PointsRedeemed",
    "PointsRestored",
    "PointsSpentAgain",
    "PurchaseRecorded",
    "Readjudicated",
    "RedemptionCancelled",
    "ReturnRecorded",
    "ReturnVoided",
    "SourcePosition",
    "SpendingFact",
    "Tender",
    "TierApplied",
]


class Line(NamedTuple):
    """One line of a basket; `net` and `tax` in minor units, `quantity` as a decimal string."""

    line: int
    sku: str
    category: str | None
    quantity: str
    net: int
    tax: int


class Tender(NamedTuple):
    """How a part of a basket was paid, in minor units; `reference` names the redemption or hold of `points`."""

    type: str
    amount: int
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRecorded:
    """A purchase was adjudicated, whether or not it earned; it holds all that a later refund needs to adjudicate again.

    `eligible` has one numerator per line over `eligible_over`, in minor units; `eligible_minor` is the sum, floored.
    `programme_version` is 0 when no version was in force at `occurred_at`; `visit` numbers the member's purchases.
    """

    TYPE: ClassVar[str] = "purchase_recorded"
    cause: Cause
    moves: tuple[Move, ...]
    kind: str
    source: str
    store: str
    terminal: str
    business_day: date
    sequence: int
    fingerprint: str
    programme_version: int
    tier: str | None
    visit: int
    channel: str | None
    partner: str | None
    time_zone: str | None
    currency: str
    tax_included: bool
    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    eligible: tuple[int, ...]
    eligible_over: int
    eligible_minor: int
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True)
class ActivityRecorded:
    """Something other than a purchase was adjudicated: a review, a survey, a gift."""

    TYPE: ClassVar[str] = "activity_recorded"
    cause: Cause
    moves: tuple[Move, ...]
    source: str
    activity: str
    reference: str
    fingerprint: str
    programme_version: int
    tier: str | None
    awards: tuple[Award, ...]


@dataclass(frozen=True, slots=True)
class PointsExpired:
    """What was left of a lot passed its expiry; `occurred_at` is the expiry, whenever this was recorded."""

    TYPE: ClassVar[str] = "points_expired"
    cause: Cause
    moves: tuple[Move, ...]
    unit: str
    lot: str
    points: int


@dataclass(frozen=True, slots=True)
class PointsActivated:
    """Pending points of a lot became spendable; the moves tell how many of them repaid debt."""

    TYPE: ClassVar[str] = "points_activated"
    cause: Cause
    moves: tuple[Move, ...]
    unit: str
    lot: str
    points: int


@dataclass(frozen=True, slots=True)
class TierApplied:
    """The ledger heard of a tier change; purchases that occurred from `effective_from` on earn by it."""

    TYPE: ClassVar[str] = "tier_applied"
    cause: Cause
    moves: tuple[Move, ...]
    tier: str | None
    effective_from: datetime
    tier_seq: int
    retroactive: bool


@dataclass(frozen=True, slots=True)
class MemberStatusApplied:
    """The ledger heard of a member's new status: `active`, `blocked`, `closed` or `erased`."""

    TYPE: ClassVar[str] = "member_status_applied"
    cause: Cause
    moves: tuple[Move, ...]
    status: str
    version: int


@dataclass(frozen=True, slots=True)
class ReturnRecorded:
    """A return (or the void of a sale) took back what the sale no longer earns, by the sale's own rules and tier.

    `brought_back` is the whole of the original's returns after this one, `original_occurred_at` the instant whose
    windows it counts against. `review` says why a person should look: `more_than_sold`,
    `unknown_redemption` …
    """

    TYPE: ClassVar[str] = "return_recorded"
    cause: Cause
    moves: tuple[Move, ...]
    kind: str
    original_id: EventId
    original_occurred_at: datetime
    source: str
    store: str
    terminal: str
    business_day: date
    sequence: int
    fingerprint: str
    currency: str
    lines: tuple[ReturnedLine, ...]
    tenders: tuple[Tender, ...]
    brought_back: tuple[BroughtBack, ...]
    programme_version: int
    tier: str | None
    changes: tuple[RuleChange, ...]
    waived: tuple[Waived, ...]
    review: str | None


@dataclass(frozen=True, slots=True)
class ReturnVoided:
    """A return was taken back: its lines count as not returned, and what it had taken comes again.

    `waived` are points that the return had waived and that are owed to nobody now: nothing moves for them.
    """

    TYPE: ClassVar[str] = "return_voided"
    cause: Cause
    moves: tuple[Move, ...]
    return_id: EventId
    original_id: EventId
    original_occurred_at: datetime
    source: str
    store: str
    terminal: str
    business_day: date
    sequence: int
    fingerprint: str
    brought_back: tuple[BroughtBack, ...]
    programme_version: int
    tier: str | None
    changes: tuple[RuleChange, ...]
    waived: tuple[Waived, ...]
    review: str | None


@dataclass(frozen=True, slots=True)
class PointsCorrected:
    """A purchase earns more, because its member had a higher tier at the time than the ledger knew.

    `occurred_at` is that of the purchase (`original_id`); the cause is the tier change, as one of its later parts.
    """

    TYPE: ClassVar[str] = "points_corrected"
    cause: Cause
    moves: tuple[Move, ...]
    original_id: EventId
    programme_version: int
    tier: str | None
    changes: tuple[RuleChange, ...]


Readjudicated = ReturnRecorded | ReturnVoided | PointsCorrected
Fact = (
    PurchaseRecorded
    | ActivityRecorded
    | ReturnRecorded
    | ReturnVoided
    | PointsCorrected
    | PointsExpired
    | PointsActivated
    | TierApplied
    | MemberStatusApplied
    | SpendingFact
)
