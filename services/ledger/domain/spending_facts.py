"""The facts of spending: points leave for a redemption, come back from it, and are spent on it again."""

from dataclasses import dataclass
from typing import ClassVar

from services.ledger.domain.causes import Cause
from services.ledger.domain.evidence import Waived
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Move


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


@dataclass(frozen=True, slots=True)
class PointsRestored:
    """A return gave back what had paid for it, of one redemption; `given_back` are pairs (unit, points).

    The cause is the return, as one of its later parts; `original_id` is the sale. What of it repaid debt stands in
    the moves.
    """

    TYPE: ClassVar[str] = "points_restored"
    cause: Cause
    moves: tuple[Move, ...]
    redemption_id: EventId
    original_id: EventId
    given_back: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class PointsSpentAgain:
    """The return that gave points back was voided; `spent` are pairs (unit, points), `waived` what could not be taken.

    The cause is the void, as one of its later parts; `return_id` is what it voids, `original_id` the sale.
    """

    TYPE: ClassVar[str] = "points_spent_again"
    cause: Cause
    moves: tuple[Move, ...]
    redemption_id: EventId
    original_id: EventId
    return_id: EventId
    spent: tuple[tuple[str, int], ...]
    waived: tuple[Waived, ...]


SpendingFact = PointsRedeemed | RedemptionCancelled | PointsRestored | PointsSpentAgain
