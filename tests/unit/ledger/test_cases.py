"""The worked cases of the domain, by number."""

from datetime import timedelta
from fractions import Fraction

from services.ledger.domain.balances import view
from services.ledger.domain.commands import Settle
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import PointsExpired, PurchaseRecorded
from services.ledger.domain.instants import in_utc
from services.ledger.domain.lots import lot_terms
from services.ledger.domain.rules import Basis, Cap, Earn, Rule, Unit
from services.ledger.domain.state import Balance, new_account
from tests.unit.ledger.builders import (
    BASE,
    CAKE,
    COFFEE,
    GIFT_CARD,
    MEMBER,
    WEDNESDAY,
    P,
    by_rule,
    earned,
    given,
    line,
    local,
    programme,
    purchase,
    recorded,
    tier,
)


def test_C1_a_basket_earns_base_and_coffee_points_that_expire_at_the_end_of_a_month() -> None:
    facts = decide(new_account(MEMBER), purchase(COFFEE, CAKE, GIFT_CARD), (P,))

    assert by_rule(facts) == {"base": 40, "coffee-double": 26}
    assert {lot_terms(award.lot).expires_at for award in recorded(facts).awards} == {in_utc(local(2027, 4, 1))}
    assert recorded(facts).eligible_minor == 4090


def test_C2_a_tier_multiplies_the_exact_amount_and_not_a_rounded_one() -> None:
    gold = given(tier("gold", since=local(2026, 2, 1)))

    facts = decide(gold, purchase(COFFEE, CAKE, GIFT_CARD), (P,))

    assert by_rule(facts) == {"base": 61, "coffee-double": 26}
    assert recorded(facts).tier == "gold"


def test_C3_a_cap_leaves_to_the_second_purchase_of_a_day_what_the_first_left() -> None:
    rules = programme(Rule("bonus", Earn("points", Fraction(1), Basis.AMOUNT, 100), cap=Cap(100, "day")))
    first = purchase(line(8000), sequence=1)
    second = purchase(line(5000), sequence=2, at=WEDNESDAY + timedelta(hours=1))
    state = given(first, versions=(rules,))

    facts = decide(state, second, (rules,))

    assert state.units["points"].available == 80
    assert earned(facts) == 20
    (award,) = recorded(facts).awards
    assert award.uncapped == 50
    assert award.cap is not None
    assert (award.cap.period, award.cap.used, award.cap.limit) == ("2026-03-11", 80, 100)


def test_C4_a_sale_from_before_a_new_version_earns_by_the_old_one_when_it_arrives_later() -> None:
    tripled = Rule("base", Earn("points", Fraction(3), Basis.AMOUNT, 100))
    versions = (programme(BASE), programme(tripled, version=2, starts_at=local(2026, 5, 1)))
    arrival = local(2026, 5, 1, 7)

    before = decide(new_account(MEMBER), purchase(at=local(2026, 4, 30, 23, 50), clock=arrival), versions)
    after = decide(new_account(MEMBER), purchase(at=local(2026, 5, 1), clock=arrival), versions)

    assert (recorded(before).programme_version, earned(before)) == (1, 10)
    assert (recorded(after).programme_version, earned(after)) == (2, 30)


def test_C6_a_lot_counts_up_to_its_expiry_and_not_at_it_and_the_job_merely_records_it() -> None:
    to_december = programme(BASE, units={"points": Unit("points", Validity(Duration(months=6)))})
    state = given(purchase(line(5000), at=local(2026, 6, 1)), versions=(to_december,))
    expiry = local(2026, 12, 1)

    assert view(state, expiry - timedelta(seconds=1)).units["points"].balance.available == 50
    assert view(state, expiry).units["points"].balance.available == 0
    assert decide(state, Settle(clock=expiry - timedelta(seconds=1)), ()) == ()

    (fact,) = decide(state, Settle(clock=local(2026, 12, 3, 4)), ())

    assert isinstance(fact, PointsExpired)
    assert fact.points == 50
    assert fact.cause.occurred_at == expiry
    assert fact.cause.recorded_at == local(2026, 12, 3, 4)
    assert fold(state, [fact]).units["points"] == Balance(issued=50, expired=50)


def test_C7_a_purchase_whose_lot_is_past_on_arrival_is_earned_and_expired() -> None:
    state = given(purchase(line(3000), sequence=1, at=local(2027, 6, 1)))

    facts = decide(state, purchase(line(1000), sequence=2, clock=local(2027, 6, 2)), (P,))

    assert [type(fact) for fact in facts] == [PurchaseRecorded, PointsExpired]
    assert [fact.cause.part for fact in facts] == [0, 1]
    assert facts[1].cause.occurred_at == local(2027, 4, 1)
    assert fold(state, facts).units["points"] == Balance(issued=40, available=30, expired=10)
