"""Customers who pay with points, and what has come back of that."""

from collections.abc import Iterable
from typing import TypeVar

from services.ledger.domain.expiry import Duration
from services.ledger.domain.facts import Fact, PointsRestored, PointsSpentAgain
from services.ledger.domain.ids import EventId
from services.ledger.domain.moves import Bucket
from services.ledger.domain.rewards import MoneyRate, Reward
from services.ledger.domain.rules import Clawback, Rules, Unit
from tests.unit.ledger.builders import BASE, YEAR_TO_MONTH_END, line, programme
from tests.unit.ledger.customers import Customer

CASH = Reward("cash", rate=MoneyRate("points", 1, 10))
MUG = Reward("mug", {"points": 50}, stock=3, per_member=1)
TWO_LINES = (line(6000, number=1), line(4000, number=2))

Kind = TypeVar("Kind", bound=Fact)


def rules(policy: Clawback = "debt", restored_for: Duration | None = None) -> Rules:
    unit = Unit("points", YEAR_TO_MONTH_END, on_clawback=policy, restored_for=restored_for)
    return programme(BASE, units={"points": unit}, rewards={"cash": CASH, "mug": MUG})


def with_points(available: int, *versions: Rules) -> Customer:
    """A member who has earned so many points, on a sale of its own."""
    customer = Customer(*(versions or (rules(),)))
    customer.buys(line(available * 100))
    return customer


def given_back(facts: Iterable[Fact], redemption: EventId) -> int:
    """What returns have given back of a redemption, less what was spent again; in points of all units."""
    return sum(
        move.points * ((move.source is Bucket.SPENT) - (move.target is Bucket.SPENT))
        for fact in facts
        if isinstance(fact, PointsRestored | PointsSpentAgain) and fact.redemption_id == redemption
        for move in fact.moves
    )


def of_type(kind: type[Kind], facts: Iterable[Fact]) -> list[Kind]:
    return [fact for fact in facts if isinstance(fact, kind)]
