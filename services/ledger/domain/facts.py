"""What the ledger has decided and recorded. A fact has no logic; `evolve` gives it its effect."""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import ClassVar, NamedTuple

from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Move

LineShare = tuple[int, int]


class SourcePosition(NamedTuple):
    """The Kafka record that caused a fact."""

    topic: str
    partition: int
    offset: int


class Cause(NamedTuple):
    """The header of every fact; part 0 is the decision itself, 1, 2 … are what it dragged along, in stream order."""

    event_id: EventId
    part: int
    occurred_at: datetime
    recorded_at: datetime
    position: SourcePosition | None


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


class CapUse(NamedTuple):
    """The allowance that an award met: `used` points of `limit` were gone in this period before it."""

    period: str
    used: int
    limit: int


class CarryChange(NamedTuple):
    """The hidden remainder of a rule before and after an award, in the unit's smallest step."""

    before: Fraction
    after: Fraction


class Award(NamedTuple):
    """What one rule gave: `points` went into `lot`, of the `uncapped` ones that rounding left.

    `lines` are pairs (line number, exact points over the common denominator `over`), before rounding and cap; empty for
    a rule that does not look at lines.
    """

    rule: str
    unit: str
    points: int
    uncapped: int
    lot: str
    over: int
    lines: tuple[LineShare, ...]
    cap: CapUse | None
    carry: CarryChange | None


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
class CommandKey:
    """Who asked for a command, under which Idempotency-Key, with which body (SHA-256, hex): restores its answer."""

    principal: str
    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Allotment:
    """How many of a limited reward were gone before this one, of how many."""

    taken: int
    limit: int


@dataclass(frozen=True, slots=True)
class PointsRedeemed:
    """Points were spent: on a `reward`, `as_money` worth `minor`, or, where both are None, for the till to know.

    `redemption_id` is the event id; `spent` are pairs (unit, points). `stock` and `per_member` are what a limited
    reward had left, over all members and for this one.
    """

    TYPE: ClassVar[str] = "points_redeemed"
    cause: Cause
    moves: tuple[Move, ...]
    redemption_id: EventId
    reward: str | None
    as_money: str | None
    minor: int | None
    basket_minor: int | None
    order: str | None
    spent: tuple[tuple[str, int], ...]
    stock: Allotment | None
    per_member: Allotment | None
    programme_version: int
    tier: str | None
    command: CommandKey


@dataclass(frozen=True, slots=True)
class RedemptionCancelled:
    """What a redemption had spent went back into the very lots; `given_back` are pairs (unit, points).

    The moves tell what of it repaid debt. `limited` is the reward of which one more can be had again, of the stock
    (`frees_stock`) and by the member (`frees_allowance`).
    """

    TYPE: ClassVar[str] = "redemption_cancelled"
    cause: Cause
    moves: tuple[Move, ...]
    redemption_id: EventId
    given_back: tuple[tuple[str, int], ...]
    limited: str | None
    frees_stock: bool
    frees_allowance: bool
    command: CommandKey


SpendingFact = PointsRedeemed | RedemptionCancelled
Fact = (
    PurchaseRecorded
    | ActivityRecorded
    | PointsExpired
    | PointsActivated
    | TierApplied
    | MemberStatusApplied
    | PointsRedeemed
    | RedemptionCancelled
)
