"""What a member's stream tells of redemptions: what each has given back, what of limited rewards is gone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.ledger.domain.facts import (
    Fact,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    RedemptionCancelled,
    SpendingFact,
)
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Bucket, Move


class Share(NamedTuple):
    """Points of a lot that a redemption spent or gave back; `is_owed`: spent again when the member had them no more."""

    unit: str
    lot: str
    points: int
    is_owed: bool = False


@dataclass(slots=True)
class Redemption:
    """A redemption as its facts have left it; in both lists what came last stands at the end, and goes first.

    `spent` is what it can still give back. `restored` is what returns gave back and the void of one may spend again;
    what of it voids have waived, by unit, is the member's for good.
    """

    fact: PointsRedeemed
    spent: list[Share] = field(default_factory=list)
    restored: list[Share] = field(default_factory=list)
    waived: dict[str, int] = field(default_factory=dict)
    is_cancelled: bool = False


def redemption_in(spending: Iterable[SpendingFact], redemption_id: EventId) -> Redemption | None:
    """The redemption among the spending facts of a stream, with what was given back of it."""
    found: Redemption | None = None
    for fact in spending:
        if fact.redemption_id != redemption_id:
            continue
        if isinstance(fact, PointsRedeemed):
            found = Redemption(fact)
        if found is not None:
            _apply(found, fact)
    return found


def take_last(shares: list[Share], unit: str, points: int) -> list[Share]:
    """Takes so many points of the unit off the end of the list, or all that there are."""
    taken: list[Share] = []
    for place in reversed(range(len(shares))):
        share = shares[place]
        if share.unit == unit and points > 0:
            part = min(points, share.points)
            points -= part
            taken.append(share._replace(points=part))
            shares[place] = share._replace(points=share.points - part)
    shares[:] = [share for share in shares if share.points]
    return taken


def taken_in(spending: Iterable[SpendingFact], reward: str) -> int:
    """How many of a limited reward these facts leave the member with."""
    taken = 0
    for fact in spending:
        if isinstance(fact, PointsRedeemed):
            taken += fact.per_member is not None and reward == limited_reward(fact)
        if isinstance(fact, RedemptionCancelled):
            taken -= fact.frees_allowance and reward == fact.limited
    return taken


def stock_change(fact: Fact) -> tuple[str, int] | None:
    """The reward whose stock a fact takes from (1) or gives back to (-1)."""
    match fact:
        case PointsRedeemed() if fact.stock is not None and (reward := limited_reward(fact)) is not None:
            return reward, 1
        case RedemptionCancelled() if fact.frees_stock and fact.limited is not None:
            return fact.limited, -1
        case _:
            return None


def limited_reward(fact: PointsRedeemed) -> str | None:
    """The reward that was counted, where it had a limit."""
    return fact.reward or fact.as_money if fact.stock is not None or fact.per_member is not None else None


def first_excess(spending: Sequence[SpendingFact]) -> str | None:
    """The first redemption that gave back what it had not spent."""
    spent: dict[tuple[str, str], int] = {}
    for fact in spending:
        for move in fact.moves:
            if Bucket.SPENT not in (move.source, move.target):
                continue
            key = (fact.redemption_id, move.unit)
            spent[key] = spent.get(key, 0) + (move.points if move.target is Bucket.SPENT else -move.points)
            if spent[key] < 0:
                return f"redemption {fact.redemption_id} gave back {-spent[key]} more {move.unit} than it spent"
    return None


def sums_by_unit(moves: Iterable[Move | Share]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for move in moves:
        sums[move.unit] = sums.get(move.unit, 0) + move.points
    return sums


def _apply(redemption: Redemption, fact: SpendingFact) -> None:
    spent = [
        Share(move.unit, move.lot, move.points, move.source is Bucket.DEBT)
        for move in fact.moves
        if move.target is Bucket.SPENT
    ]
    back = [Share(move.unit, move.lot, move.points) for move in fact.moves if move.source is Bucket.SPENT]
    redemption.spent += spent
    for share in back:
        take_last(redemption.spent, share.unit, share.points)
    match fact:
        case RedemptionCancelled():
            redemption.is_cancelled = True
        case PointsRestored():
            redemption.restored += back
        case PointsSpentAgain():
            for share in spent:
                take_last(redemption.restored, share.unit, share.points)
            for each in fact.waived:
                redemption.waived[each.unit] = redemption.waived.get(each.unit, 0) + each.points
