"""What the ledger is asked to decide. `clock` is our time at the door of the decision, `occurred_at` the till's."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.facts import CommandKey, Line, SourcePosition, SpendingFact, Tender
from services.ledger.domain.ids import EventId


class RecordPurchase(NamedTuple):
    """An accepted checkout of a known member; amounts in minor units."""

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    position: SourcePosition | None
    kind: str
    source: str
    store: str
    terminal: str
    business_day: date
    sequence: int
    fingerprint: str
    currency: str
    lines: tuple[Line, ...]
    tenders: tuple[Tender, ...]
    channel: str | None = None
    partner: str | None = None
    time_zone: str | None = None
    tax_included: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReturn:
    """Something comes back: kind `return` with the lines that do, or kind `void`, which takes a checkout back whole.

    `original_id` is the sale, or for a void the return that is taken back.
    """

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    position: SourcePosition | None
    kind: str
    original_id: EventId
    source: str
    store: str
    terminal: str
    business_day: date
    sequence: int
    fingerprint: str
    currency: str
    lines: tuple[ReturnedLine, ...]
    tenders: tuple[Tender, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordActivity:
    """Something other than a purchase that may earn; `reference` makes it one of a kind for its source.

    `campaign` is that of a gift, None for everything else.
    """

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    position: SourcePosition | None
    source: str
    activity: str
    reference: str
    fingerprint: str
    campaign: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTier:
    """A change of standing, numbered per member without gaps; `tier` None = below the first level.

    What was bought between the end of a period and its evaluation has earned by the old tier, and `ends_period`
    leaves it so.
    """

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    position: SourcePosition | None
    tier: str | None
    effective_from: datetime
    tier_seq: int
    retroactive: bool = False
    ends_period: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStatus:
    """A member's status as of a version of the member; lower versions than the known one change nothing."""

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    position: SourcePosition | None
    status: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Bring the account to now: the job's command, which has no cause but time."""

    clock: datetime


@dataclass(frozen=True, slots=True)
class ForReward:
    """A reward with a price."""

    reward: str


@dataclass(frozen=True, slots=True)
class ForPoints:
    """So many points of a unit, for something that only the till knows."""

    unit: str
    points: int


@dataclass(frozen=True, slots=True)
class AsMoney:
    """Points for `minor` of a basket of `basket_minor`, by the rate of `reward`; both in minor units."""

    reward: str
    minor: int
    basket_minor: int


Wish = ForReward | ForPoints | AsMoney


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemPoints:
    """Spend points at once; `status` is the member's, `order` the till's reference.

    `taken_by_all`: of a reward with a stock; `taken_by_member`: needed where the account does not count the reward.
    """

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    command: CommandKey
    wish: Wish
    order: str | None
    status: str
    taken_by_all: int = 0
    taken_by_member: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRedemption:
    """Give back what a redemption spent and has not given back yet; `spending` is all of it that the stream holds."""

    event_id: EventId
    occurred_at: datetime
    clock: datetime
    command: CommandKey
    redemption_id: EventId
    spending: tuple[SpendingFact, ...]


Command = (
    RecordPurchase | RecordReturn | RecordActivity | ApplyTier | ApplyStatus | Settle | RedeemPoints | CancelRedemption
)
