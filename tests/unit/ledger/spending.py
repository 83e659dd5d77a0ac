"""Accounts with given lots, and what a till asks of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest

from services.ledger.domain.commands import CancelRedemption, ForPoints, RedeemPoints, Wish
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import CommandKey, Fact, PointsRedeemed, SpendingFact
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.lots import Lot, lot_id, lot_terms
from services.ledger.domain.refusals import Refusal
from services.ledger.domain.rewards import MoneyRate, Reward
from services.ledger.domain.state import AccountState, Balance, new_account
from tests.unit.ledger.builders import MEMBER, local, programme

NOW = local(2026, 11, 1)
LATTE = Reward("latte", {"points": 50})
SET = Reward("set", {"stars": 10, "points": 40})
CASH = Reward("cash", rate=MoneyRate("points", 100, 100, minimum=50, step=10, max_share=Fraction(1, 2)))
RULES = programme(rewards={reward.id: reward for reward in (LATTE, SET, CASH)})


def account(lots: Mapping[str, int], debt: int = 0, **changes: Any) -> AccountState:
    """A member who has so much in each lot; `debt` in unit points."""
    units: dict[str, Balance] = {}
    for lot, points in lots.items():
        unit = lot_terms(lot).unit
        had = units.get(unit, Balance())
        units[unit] = had._replace(issued=had.issued + points, available=had.available + points)
    if debt:
        units["points"] = units.get("points", Balance())._replace(debt=debt, reversed=debt)
    kept = {lot: Lot(lot, *lot_terms(lot), pending=0, available=points, held=0) for lot, points in lots.items()}
    return replace(new_account(MEMBER), units=units, lots=kept, **changes)


def until(*day: int, unit: str = "points") -> str:
    return lot_id(unit, local(*day))


A, B, C = until(2027, 1, 1), until(2026, 12, 1), lot_id("points", None)
THREE_LOTS = account({A: 100, B: 50, C: 30})
HUNDRED = account({C: 100})


def redeem(wish: Wish, *, at: datetime = NOW, number: int = 1, **changes: Any) -> RedeemPoints:
    settings: dict[str, Any] = {
        "event_id": event_id_of("redeem", str(number)),
        "occurred_at": at,
        "clock": at,
        "command": CommandKey("till", f"key-{number}", "a" * 64),
        "wish": wish,
        "order": "R-0043",
        "status": "active",
    }
    return RedeemPoints(**(settings | changes))


def points(wanted: int, **changes: Any) -> RedeemPoints:
    return redeem(ForPoints("points", wanted), **changes)


def cancel(facts: Sequence[Fact], *, at: datetime = NOW, number: int = 1, redemption: str = "") -> CancelRedemption:
    spending = tuple(fact for fact in facts if isinstance(fact, SpendingFact))
    return CancelRedemption(
        event_id=event_id_of("cancel", str(number)),
        occurred_at=at,
        clock=at,
        command=CommandKey("till", f"cancel-{number}", "b" * 64),
        redemption_id=EventId(redemption or spending[0].redemption_id),
        spending=spending,
    )


def done(
    state: AccountState, command: RedeemPoints | CancelRedemption, *rewards: Reward
) -> tuple[tuple[Fact, ...], AccountState]:
    versions = (programme(rewards={reward.id: reward for reward in rewards}) if rewards else RULES,)
    facts = decide(state, command, versions)
    return facts, fold(state, facts)


def refused(state: AccountState, command: RedeemPoints | CancelRedemption, *rewards: Reward) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        done(state, command, *rewards)
    return refusal.value


def left(state: AccountState) -> dict[str, int]:
    return {lot.id: lot.available for lot in state.lots.values()}


def redeemed(facts: Sequence[Fact]) -> PointsRedeemed:
    (fact,) = [fact for fact in facts if isinstance(fact, PointsRedeemed)]
    return fact
