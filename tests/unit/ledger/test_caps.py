from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from services.ledger.domain.decide import decide
from services.ledger.domain.rules import Cap, Earn, Period, Rule
from tests.unit.ledger.builders import earned, given, local, programme, purchase, recorded

FIFTY = Earn("points", Fraction(50))


@pytest.mark.parametrize(
    ("per", "next_period"),
    [
        ("day", local(2026, 3, 12)),
        ("week", local(2026, 3, 16)),
        ("month", local(2026, 4, 1)),
        ("year", local(2027, 1, 1)),
    ],
)
def test_a_cap_starts_anew_with_its_period_in_the_programmes_zone(per: Period, next_period: datetime) -> None:
    rules = (programme(Rule("bonus", FIFTY, cap=Cap(60, per))),)
    state = given(purchase(sequence=1), versions=rules)
    instant_before = purchase(sequence=2, at=next_period - timedelta(seconds=1))

    assert earned(decide(state, instant_before, rules)) == 10
    assert earned(decide(state, purchase(sequence=2, at=next_period), rules)) == 50


def test_a_lifetime_cap_never_starts_anew() -> None:
    rules = (programme(Rule("bonus", FIFTY, cap=Cap(50, "lifetime"))),)
    state = given(purchase(sequence=1), versions=rules)

    facts = decide(state, purchase(sequence=2, at=local(2036, 1, 1)), rules)

    (award,) = recorded(facts).awards
    assert (award.points, award.uncapped) == (0, 50)
    assert recorded(facts).moves == ()


def test_a_late_purchase_uses_the_allowance_of_its_own_day() -> None:
    rules = (programme(Rule("bonus", FIFTY, cap=Cap(60, "day"))),)
    state = given(purchase(sequence=1, at=local(2026, 3, 12, 9)), versions=rules)

    late = purchase(sequence=2, at=local(2026, 3, 11, 9), clock=local(2026, 3, 12, 10))

    assert earned(decide(state, late, rules)) == 50
