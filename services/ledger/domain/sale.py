"""A sale as it stands: what it gave, what was corrected, what came back and what that took."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.ledger.domain.evidence import ReturnedLine, RuleChange
from services.ledger.domain.facts import (
    Fact,
    PointsCorrected,
    PurchaseRecorded,
    Readjudicated,
    ReturnRecorded,
    ReturnVoided,
)
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Bucket
from services.ledger.domain.rest import Rest, nothing_of, rest_of

VOID = "void"


@dataclass(slots=True)
class Taken:
    """Points that a return took of a unit: from a bucket of a lot, or (None) waived and never moved."""

    unit: str
    lot: str
    source: Bucket | None
    points: int


@dataclass(slots=True)
class ByRule:
    """What a sale has by one rule now, and what it would have without its cap."""

    unit: str
    lot: str
    points: int
    uncapped: int


@dataclass(slots=True)
class Sale:
    """The fold of a sale's facts; `taken` in the order in which it was, `returns` without those voided."""

    sold: PurchaseRecorded
    tier: str | None
    rules: dict[str, ByRule]
    returns: dict[EventId, ReturnRecorded] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)

    @property
    def event_id(self) -> EventId:
        return self.sold.cause.event_id

    @property
    def occurred_at(self) -> datetime:
        return self.sold.cause.occurred_at

    @property
    def is_voided(self) -> bool:
        return any(back.kind == VOID for back in self.returns.values())

    def rest(self) -> Rest:
        """What is left of it."""
        return nothing_of(self.sold.lines) if self.is_voided else rest_of(self.sold.lines, self._returned())

    def rest_with(self, kind: str, lines: Iterable[ReturnedLine]) -> Rest:
        """What would be left if this came back as well."""
        if kind == VOID or self.is_voided:
            return nothing_of(self.sold.lines)
        return rest_of(self.sold.lines, (*self._returned(), *lines))

    def rest_without(self, voided: EventId) -> Rest:
        """What would be left if this return had not been."""
        others = [back for event, back in self.returns.items() if event != voided]
        if any(back.kind == VOID for back in others):
            return nothing_of(self.sold.lines)
        return rest_of(self.sold.lines, [line for back in others for line in back.lines])

    def give_back(self, unit: str, points: int) -> Iterator[Taken]:
        """Takes what was taken last off the list, up to so many points."""
        for taken in reversed(self.taken):
            if taken.unit == unit and points and taken.points:
                part = min(points, taken.points)
                taken.points -= part
                points -= part
                yield Taken(unit, taken.lot, taken.source, part)

    def _returned(self) -> Iterator[ReturnedLine]:
        return (line for back in self.returns.values() for line in back.lines)


def sales_in(facts: Iterable[Fact]) -> dict[EventId, Sale]:
    """The sales among these facts, as their later facts have left them."""
    sales: dict[EventId, Sale] = {}
    for fact in facts:
        match fact:
            case PurchaseRecorded():
                sales[fact.cause.event_id] = _as_sold(fact)
            case ReturnRecorded() | ReturnVoided() | PointsCorrected() if fact.original_id in sales:
                _apply(sales[fact.original_id], fact)
            case _:
                pass
    return sales


def _as_sold(fact: PurchaseRecorded) -> Sale:
    rules = {award.rule: ByRule(award.unit, award.lot, award.points, award.uncapped) for award in fact.awards}
    return Sale(fact, fact.tier, rules)


def _apply(sale: Sale, fact: Readjudicated) -> None:
    for change in fact.changes:
        _change(sale, change)
    match fact:
        case ReturnRecorded():
            sale.returns[fact.cause.event_id] = fact
            moved = [move for move in fact.moves if move.target is Bucket.REVERSED]
            sale.taken += [Taken(move.unit, move.lot, move.source, move.points) for move in moved]
            sale.taken += [Taken(waived.unit, "", None, waived.points) for waived in fact.waived]
        case ReturnVoided():
            sale.returns.pop(fact.return_id, None)
            for unit, points in _given_back(fact):
                for _ in sale.give_back(unit, points):
                    pass
        case PointsCorrected():
            sale.tier = fact.tier


def _change(sale: Sale, change: RuleChange) -> None:
    known = sale.rules.get(change.rule)
    if known is None:
        sale.rules[change.rule] = ByRule(change.unit, change.lot, change.after, change.uncapped)
        return
    known.points, known.uncapped = change.after, change.uncapped


def _given_back(fact: ReturnVoided) -> Iterator[tuple[str, int]]:
    for move in fact.moves:
        if move.source is Bucket.REVERSED:
            yield move.unit, move.points
    for waived in fact.waived:
        yield waived.unit, waived.points
