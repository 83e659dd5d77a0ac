"""What a member's stream tells of redemptions: what each has given back, what of limited rewards is gone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.ledger.domain.facts import Fact, PointsRedeemed, RedemptionCancelled, SpendingFact
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Bucket, Move


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a redemption spent and what it has given back, by lot."""

    fact: PointsRedeemed
    given_back: Mapping[str, int]

    def left(self) -> Iterator[Move]:
        """What can still be given back, as the moves that spent it."""
        for move in self.fact.moves:
            if points := move.points - self.given_back.get(move.lot, 0):
                yield Move(move.unit, move.lot, move.source, move.target, points)


def redemption_in(spending: Iterable[SpendingFact], redemption_id: EventId) -> Redemption | None:
    """The redemption among the spending facts of a stream, with what was given back of it."""
    fact: PointsRedeemed | None = None
    given_back: dict[str, int] = {}
    for each in spending:
        if each.redemption_id != redemption_id:
            continue
        if isinstance(each, PointsRedeemed):
            fact = each
            continue
        for move in each.moves:
            if move.source is Bucket.SPENT:
                given_back[move.lot] = given_back.get(move.lot, 0) + move.points
    return None if fact is None else Redemption(fact, given_back)


def taken_in(spending: Iterable[SpendingFact], reward: str) -> int:
    """How many of a limited reward these facts leave the member with."""
    taken = 0
    for fact in spending:
        if isinstance(fact, PointsRedeemed):
            taken += fact.per_member is not None and reward == limited_reward(fact)
        else:
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
            key = (fact.redemption_id, move.lot)
            spent[key] = spent.get(key, 0) + (move.points if move.target is Bucket.SPENT else -move.points)
            if spent[key] < 0:
                return f"redemption {fact.redemption_id} gave back {-spent[key]} more of {move.lot} than it spent"
    return None


def sums_by_unit(moves: Iterable[Move]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for move in moves:
        sums[move.unit] = sums.get(move.unit, 0) + move.points
    return sums
