"""Topic `points`: the facts of the books, numbered and chained per member, published byte for byte as stored.

The CloudEvents id is `<member_id>/<member_seq>`, the type `loyalty.points.<type>.v1`.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.base import (
    Code,
    Contract,
    Count,
    Currency,
    Instant,
    MinorAmount,
    Points,
    Sha256Text,
    ShortText,
    Token,
    UuidText,
)
from schemas.members import Status
from schemas.points_evidence import (
    Award,
    BroughtBack,
    LotId,
    Move,
    RecordedLine,
    RecordedTender,
    RecordPosition,
    ReturnedLine,
    RuleChange,
    Waived,
)


class Fact(Contract):
    """The header of every fact; part 0 is the decision itself, 1, 2 … are what it dragged along."""

    member_id: UuidText
    member_seq: Annotated[Count, Field(ge=1)]
    event_id: UuidText
    part: Count
    occurred_at: Instant
    recorded_at: Instant
    position: RecordPosition | None
    moves: tuple[Move, ...]


class PurchaseRecorded(Fact):
    """A purchase was adjudicated, whether or not it earned; `programme_version` 0 = none was in force at the time."""

    type: Literal["purchase_recorded"]
    kind: Literal["sale", "return", "void"]
    source: Token
    store: Token
    terminal: Token
    business_day: date
    sequence: Count
    fingerprint: Sha256Text
    programme_version: Count
    tier: Token | None
    visit: Count
    channel: Token | None
    partner: Token | None
    time_zone: ShortText | None
    currency: Currency
    tax_included: bool
    lines: tuple[RecordedLine, ...]
    tenders: tuple[RecordedTender, ...]
    eligible_over: Annotated[int, Field(strict=True, ge=1)]
    eligible_minor: MinorAmount
    awards: tuple[Award, ...]


class _CameBack(Fact):
    """What a return and its void have in common.

    `brought_back` is what of the original has come back after this fact, `original_occurred_at` the instant whose
    windows and caps it counts against, `tier` and `programme_version` those by which the original is judged.
    """

    original_id: UuidText
    original_occurred_at: Instant
    source: Token
    store: Token
    terminal: Token
    business_day: date
    sequence: Count
    fingerprint: Sha256Text
    brought_back: tuple[BroughtBack, ...]
    programme_version: Count
    tier: Token | None
    changes: tuple[RuleChange, ...]
    waived: tuple[Waived, ...]
    review: Code | None
    """Why a person should look: `more_than_sold`, `unknown_line`, `other_currency`, `already_voided`, `not_a_sale`,
    `unknown_redemption` (a points tender of the sale names no redemption of the member), `more_money_than_paid` (the
    till paid the points' part in money as well)."""


class ReturnRecorded(_CameBack):
    """A return, or the void of a sale, took back what the sale no longer earns; `review`: a person should look."""

    type: Literal["return_recorded"]
    kind: Literal["return", "void"]
    currency: Currency
    lines: tuple[ReturnedLine, ...]
    tenders: tuple[RecordedTender, ...]


class ReturnVoided(_CameBack):
    """A return was taken back: its lines count as not returned, and what it had taken comes again."""

    type: Literal["return_voided"]
    return_id: UuidText


class PointsCorrected(Fact):
    """A purchase earns more, for its member had a higher tier than the ledger knew; `occurred_at` is the purchase's."""

    type: Literal["points_corrected"]
    original_id: UuidText
    programme_version: Count
    tier: Token | None
    changes: tuple[RuleChange, ...]


class ActivityRecorded(Fact):
    """Something other than a purchase was adjudicated: a review, a survey, a gift of a campaign."""

    type: Literal["activity_recorded"]
    source: Token
    activity: Token
    reference: ShortText
    fingerprint: Sha256Text
    programme_version: Count
    tier: Token | None
    awards: tuple[Award, ...]


class PointsExpired(Fact):
    """What was left of a lot passed its expiry, which is `occurred_at`."""

    type: Literal["points_expired"]
    unit: Token
    lot: LotId
    points: Annotated[Points, Field(ge=1)]


class PointsActivated(Fact):
    """Pending points of a lot became spendable; what of them repaid debt stands in the moves."""

    type: Literal["points_activated"]
    unit: Token
    lot: LotId
    points: Annotated[Points, Field(ge=1)]


class TierApplied(Fact):
    """The ledger heard of tier change `tier_seq`; purchases from `effective_from` on earn by it."""

    type: Literal["tier_applied"]
    tier: Token | None
    effective_from: Instant
    tier_seq: Annotated[Count, Field(ge=1)]
    retroactive: bool


class MemberStatusApplied(Fact):
    """The ledger heard of a member's status as of `version` of the member."""

    type: Literal["member_status_applied"]
    status: Status
    version: Count


class CommandKey(Contract):
    """Who asked (the owner of the API key), under which Idempotency-Key, and the SHA-256 of what the body said."""

    principal: ShortText
    key: Annotated[str, Field(min_length=1, max_length=255)]
    body_hash: Sha256Text


class Allotment(Contract):
    """`taken` of `limit` were gone before this one."""

    taken: Count
    limit: Count


Spent = dict[Token, Annotated[Points, Field(ge=1)]]


class PointsRedeemed(Fact):
    """Points were spent: on a `reward`, `as_money` worth `minor` of a basket, or for what only the till knows.

    `redemption_id` is the event id. `stock` (over all members) and `per_member` are there where the reward is limited.
    """

    type: Literal["points_redeemed"]
    redemption_id: UuidText
    reward: Token | None
    as_money: Token | None
    minor: MinorAmount | None
    basket_minor: MinorAmount | None
    order: ShortText | None
    spent: Spent
    stock: Allotment | None
    per_member: Allotment | None
    programme_version: Count
    tier: Token | None
    command: CommandKey


class RedemptionCancelled(Fact):
    """What a redemption had spent went back into the lots that it came from; what of it repaid debt or was past its
    expiry stands in the moves and in the expiries behind this fact.

    `limited` is the reward of which one more can be had again: of the stock, of the member's allowance, or both.
    """

    type: Literal["redemption_cancelled"]
    redemption_id: UuidText
    given_back: Spent
    limited: Token | None
    frees_stock: bool
    frees_allowance: bool
    command: CommandKey


class PointsRestored(Fact):
    """A return gave back its part of what points had paid of the sale (`original_id`), of one redemption.

    The event is the return. `given_back` is points by unit; what of it repaid debt or was past its expiry stands in
    the moves and in the expiries behind this fact. All returns together never give back more than was spent.
    """

    type: Literal["points_restored"]
    redemption_id: UuidText
    original_id: UuidText
    given_back: Spent


class PointsSpentAgain(Fact):
    """A return was voided (`return_id`): what it had given back of a redemption is spent again.

    The event is the void. `spent` is points by unit, debt included; `waived` could not be taken, by the unit's policy.
    """

    type: Literal["points_spent_again"]
    redemption_id: UuidText
    original_id: UuidText
    return_id: UuidText
    spent: Spent
    waived: tuple[Waived, ...]


PointsFact = Annotated[
    PurchaseRecorded
    | ActivityRecorded
    | ReturnRecorded
    | ReturnVoided
    | PointsCorrected
    | PointsExpired
    | PointsActivated
    | TierApplied
    | MemberStatusApplied
    | PointsRedeemed
    | RedemptionCancelled
    | PointsRestored
    | PointsSpentAgain,
    Field(discriminator="type"),
]

POINTS_FACT: TypeAdapter[PointsFact] = TypeAdapter(PointsFact)


def points_type(fact_type: str) -> str:
    """The CloudEvents type of a fact: `loyalty.points.purchase_recorded.v1`."""
    return f"loyalty.points.{fact_type}.v1"
