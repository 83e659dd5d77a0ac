"""Points spent, in which order, and why not."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from services.ledger.domain.balances import view
from services.ledger.domain.commands import AsMoney, ForPoints, ForReward
from services.ledger.domain.ids import event_id_of
from services.ledger.domain.lots import Lot, lot_id, lot_terms
from services.ledger.domain.refusals import (
    AboveShareOfBasket,
    BelowMinimum,
    InsufficientPoints,
    MemberNotActive,
    NotAStep,
    UnitNotSpendable,
)
from services.ledger.domain.rewards import MoneyRate, Reward
from services.ledger.domain.state import Balance, new_account
from tests.unit.ledger.builders import MEMBER, local
from tests.unit.ledger.spending import (
    HUNDRED,
    NOW,
    THREE_LOTS,
    A,
    B,
    C,
    account,
    done,
    left,
    points,
    redeem,
    redeemed,
    refused,
)


def test_C5_the_lot_that_expires_first_is_spent_first() -> None:
    facts, after = done(THREE_LOTS, points(120))

    assert [(move.lot, move.points) for move in redeemed(facts).moves] == [(B, 50), (A, 70)]
    assert left(after) == {A: 30, C: 30}
    assert after.units["points"].spent == 120


def test_what_never_expires_is_spent_last_and_of_equals_what_was_active_first() -> None:
    early, late = lot_id("points", local(2027, 1, 1), local(2026, 2, 1)), lot_id("points", local(2027, 1, 1), NOW)
    facts, after = done(account({C: 5, late: 5, early: 5}), points(12))

    assert [(move.lot, move.points) for move in redeemed(facts).moves] == [(early, 5), (late, 5), (C, 2)]
    assert left(after) == {C: 3}


def test_C6_a_lot_counts_until_the_instant_of_its_expiry_and_not_at_it() -> None:
    _, after = done(THREE_LOTS, points(180, at=local(2026, 11, 30, 23, 59, 59)))
    assert left(after) == {}

    refusal = refused(THREE_LOTS, points(180, at=local(2026, 12, 1)))
    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.unit, refusal.available, refusal.required) == ("points", 130, 180)
    assert view(THREE_LOTS, local(2026, 12, 1)).units["points"].balance.available == 130


def test_what_is_due_is_settled_before_the_redemption_in_the_same_decision() -> None:
    facts, after = done(THREE_LOTS, points(10, at=local(2026, 12, 1)))

    assert [(fact.TYPE, fact.cause.part) for fact in facts] == [("points_expired", 1), ("points_redeemed", 0)]
    assert {fact.cause.event_id for fact in facts} == {event_id_of("redeem", "1")}
    assert left(after) == {A: 90, C: 30}


def test_a_reward_costs_its_price_in_every_unit() -> None:
    facts, after = done(account({C: 100, lot_id("stars", None): 30}), redeem(ForReward("set")))

    fact = redeemed(facts)
    assert (fact.reward, fact.as_money, fact.minor) == ("set", None, None)
    assert dict(fact.spent) == {"points": 40, "stars": 10}
    assert left(after) == {C: 60, lot_id("stars", None): 20}


def test_a_price_in_two_units_is_paid_in_both_or_not_at_all() -> None:
    refusal = refused(account({C: 100, lot_id("stars", None): 9}), redeem(ForReward("set")))

    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.unit, refusal.available, refusal.required) == ("stars", 9, 10)


def test_a_redemption_above_the_balance_is_refused() -> None:
    refusal = refused(HUNDRED, points(101))

    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.available, refusal.required) == (100, 101)


def test_pending_points_are_not_spent() -> None:
    soon = lot_id("points", local(2027, 1, 1), NOW + timedelta(days=1))
    lot = Lot(soon, *lot_terms(soon), pending=100, available=0, held=0)
    pending = replace(new_account(MEMBER), units={"points": Balance(issued=100, pending=100)}, lots={soon: lot})

    refusal = refused(pending, points(1))

    assert isinstance(refusal, InsufficientPoints)
    assert refusal.available == 0


@pytest.mark.parametrize(("rate", "minor", "wanted"), [((100, 100), 500, 500), ((3, 100), 50, 2), ((1, 3), 100, 34)])
def test_money_costs_points_by_the_rate_and_never_a_fraction_less(
    rate: tuple[int, int], minor: int, wanted: int
) -> None:
    cash = Reward("cash", rate=MoneyRate("points", *rate))
    facts, after = done(account({C: 1000}), redeem(AsMoney("cash", minor, 4090)), cash)

    fact = redeemed(facts)
    assert (fact.as_money, fact.minor, fact.basket_minor, fact.reward) == ("cash", minor, 4090, None)
    assert after.units["points"].spent == wanted


def test_less_than_the_minimum_is_refused() -> None:
    refusal = refused(HUNDRED, redeem(AsMoney("cash", 40, 4090)))
    assert isinstance(refusal, BelowMinimum)
    assert (refusal.minor, refusal.minimum_minor) == (40, 50)


def test_what_is_no_step_is_refused() -> None:
    refusal = refused(HUNDRED, redeem(AsMoney("cash", 55, 4090)))
    assert isinstance(refusal, NotAStep)
    assert (refusal.minor, refusal.step_minor) == (55, 10)


def test_more_than_the_share_of_the_basket_is_refused_and_the_share_itself_is_not() -> None:
    refusal = refused(HUNDRED, redeem(AsMoney("cash", 60, 119)))
    assert isinstance(refusal, AboveShareOfBasket)
    assert (refusal.minor, refusal.maximum_minor, refusal.basket_minor) == (60, 59, 119)

    _, after = done(HUNDRED, redeem(AsMoney("cash", 60, 120)))
    assert left(after) == {C: 40}


@pytest.mark.parametrize("status", ["blocked", "closed", "erased"])
def test_who_is_not_active_does_not_spend(status: str) -> None:
    refusal = refused(HUNDRED, points(1, status=status))
    assert isinstance(refusal, MemberNotActive)
    assert refusal.member_status == status


def test_a_unit_that_measures_standing_is_not_spent() -> None:
    refusal = refused(account({lot_id("growth", None): 100}), redeem(ForPoints("growth", 1)))
    assert isinstance(refusal, UnitNotSpendable)


def test_points_of_a_unit_that_nobody_declared_are_none() -> None:
    refusal = refused(HUNDRED, redeem(ForPoints("cowries", 1)))
    assert isinstance(refusal, InsufficientPoints)
    assert (refusal.unit, refusal.available) == ("cowries", 0)


def test_a_redemption_leaves_the_caps_the_carries_and_the_visits_alone() -> None:
    state = replace(HUNDRED, caps={"bonus": {"2026-11-01": 5}}, carries={"star/stars": Fraction(1, 3)}, visits=3)
    _, after = done(state, points(10))

    assert (after.caps, after.carries, after.visits) == (state.caps, state.carries, state.visits)
