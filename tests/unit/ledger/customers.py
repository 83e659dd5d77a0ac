"""A customer who buys, brings back and changes tier: the account and its whole stream, one command after another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.ledger.domain.commands import (
    ApplyTier,
    CancelRedemption,
    Command,
    ForPoints,
    RecordPurchase,
    RecordReturn,
    RedeemPoints,
    Settle,
    Wish,
)
from services.ledger.domain.decide import decide
from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import (
    CommandKey,
    Fact,
    Line,
    RedemptionCancelled,
    ReturnRecorded,
    ReturnVoided,
    SourcePosition,
    SpendingFact,
    Tender,
)
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.rules import Rules
from services.ledger.domain.spending import first_excess
from services.ledger.domain.state import Balance, new_account
from services.ledger.domain.verify import first_imbalance
from tests.unit.ledger.builders import MEMBER, WEDNESDAY, P, purchase, tier


class Customer:
    """Time stands still unless a command says otherwise."""

    def __init__(self, *versions: Rules) -> None:
        self.versions: Sequence[Rules] = versions or (P,)
        self.state = new_account(MEMBER)
        self.stream: list[Fact] = []
        self.now = WEDNESDAY
        self._sequence = 0

    def record(self, command: Command) -> tuple[Fact, ...]:
        facts = decide(self.state, command, self.versions, self.stream)
        self.state = fold(self.state, facts)
        self.stream += facts
        return facts

    def buys(self, *lines: Line, at: datetime | None = None, **changes: Any) -> EventId:
        self._sequence += 1
        self.now = max(self.now, at or self.now)
        changes = {"clock": self.now} | changes
        command: RecordPurchase = purchase(*lines, at=at or self.now, sequence=self._sequence, **changes)
        self.record(command)
        return command.event_id

    def returns(self, original: EventId, *lines: ReturnedLine, **changes: Any) -> ReturnRecorded:
        facts = self.record(self.coming_back("return", original, *lines, **changes))
        (recorded,) = [fact for fact in facts if isinstance(fact, ReturnRecorded)]
        return recorded

    def voids(self, original: EventId, **changes: Any) -> ReturnRecorded | ReturnVoided:
        return self.brings(self.coming_back("void", original, **changes))

    def brings(self, command: RecordReturn) -> ReturnRecorded | ReturnVoided:
        """What comes back in any way."""
        (recorded,) = [fact for fact in self.record(command) if isinstance(fact, ReturnRecorded | ReturnVoided)]
        return recorded

    def redeems(self, wish: Wish, name: str) -> EventId:
        command = RedeemPoints(
            event_id=event_id_of("spent", name),
            occurred_at=self.now,
            clock=self.now,
            command=CommandKey("till", name, "d" * 64),
            wish=wish,
            order=None,
            status="active",
        )
        self.record(command)
        return command.event_id

    def cancels(self, redemption: EventId) -> RedemptionCancelled:
        """Raises RedemptionAlreadyCancelled."""
        name = f"cancel {len(self.stream)}"
        command = CancelRedemption(
            event_id=event_id_of(name),
            occurred_at=self.now,
            clock=self.now,
            command=CommandKey("till", name, "c" * 64),
            redemption_id=redemption,
            spending=tuple(self.spending()),
        )
        (cancelled,) = [fact for fact in self.record(command) if isinstance(fact, RedemptionCancelled)]
        return cancelled

    def spending(self) -> list[SpendingFact]:
        return [fact for fact in self.stream if isinstance(fact, SpendingFact)]

    def reaches(self, name: str | None, since: datetime) -> tuple[Fact, ...]:
        return self.record(self._tier(name, since))

    def falls_to(self, name: str | None, since: datetime) -> tuple[Fact, ...]:
        """At the end of a period."""
        return self.record(replace(self._tier(name, since), ends_period=True))

    def _tier(self, name: str | None, since: datetime) -> ApplyTier:
        return tier(name, since=since, seq=self.state.tier_seq + 1, clock=self.now)

    def waits(self, until: datetime) -> None:
        self.now = until
        self.record(Settle(clock=until))

    def coming_back(self, kind: str, original: EventId, *lines: ReturnedLine, **changes: Any) -> RecordReturn:
        self._sequence += 1
        return coming_back(kind, original, *lines, at=self.now, number=self._sequence, **changes)

    def balance(self, unit: str = "points") -> Balance:
        return self.state.units.get(unit, Balance())

    def books_are_in_order(self) -> bool:
        causes = [(fact.cause.event_id, fact.cause.part) for fact in self.stream]
        is_same = fold(new_account(MEMBER), self.stream) == self.state
        is_excessive = first_excess(self.spending()) is not None
        return is_same and not is_excessive and first_imbalance(self.state) is None and len(set(causes)) == len(causes)


def coming_back(
    kind: str, original: EventId, *lines: ReturnedLine, at: datetime, number: int, **changes: Any
) -> RecordReturn:
    settings: dict[str, Any] = {
        "event_id": event_id_of(kind, str(number)),
        "occurred_at": at,
        "clock": at,
        "position": SourcePosition("loyalty.purchases", 0, number),
        "kind": kind,
        "original_id": original,
        "source": "pos.acme",
        "store": "0457",
        "terminal": "03",
        "business_day": at.date(),
        "sequence": number,
        "fingerprint": f"{number:064x}",
        "currency": "CNY",
        "lines": lines,
        "tenders": (Tender("card", sum(line.net for line in lines)),) if lines else (),
    }
    return RecordReturn(**(settings | changes))


def back(of_line: int | None, net: int, *, quantity: str = "1", number: int = 1, sku: str = "sku-1") -> ReturnedLine:
    return ReturnedLine(number, of_line, sku, quantity, net, 0)


def whole(*lines: Line) -> tuple[ReturnedLine, ...]:
    """All of these lines."""
    return tuple(ReturnedLine(line.line, line.line, line.sku, line.quantity, line.net, line.tax) for line in lines)


def taken(fact: ReturnRecorded, unit: str = "points") -> int:
    """What a return should take, waived points included."""
    return sum(change.before - change.after for change in fact.changes if change.unit == unit)


def spend(customer: Customer, points: int) -> EventId:
    """Redeems so many points, or none."""
    name = str(len(customer.stream))
    event_id = event_id_of("spent", name)
    if points:
        customer.redeems(ForPoints("points", points), name)
    return event_id


def paid(points: Mapping[EventId, int], total: int) -> tuple[Tender, ...]:
    """Tenders of a basket that came to `total`: what redemptions paid of it, in minor units, the rest by card."""
    in_points = tuple(Tender("points", amount, redemption) for redemption, amount in points.items())
    return (*in_points, Tender("card", total - sum(points.values())))
