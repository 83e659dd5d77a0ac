"""Rewards that are limited: by date, tier, member and stock."""

from dataclasses import replace
from datetime import date

import pytest

from services.ledger.domain.commands import AsMoney, ForReward
from services.ledger.domain.decide import decide
from services.ledger.domain.facts import Allotment
from services.ledger.domain.refusals import (
    RewardNotAvailable,
)
from services.ledger.domain.rewards import Reward
from services.ledger.domain.spending import stock_change, taken_in
from services.ledger.domain.state import LIMITED_REWARDS_COUNTED
from tests.unit.ledger.builders import local
from tests.unit.ledger.spending import (
    CASH,
    HUNDRED,
    LATTE,
    done,
    points,
    redeem,
    redeemed,
    refused,
)


@pytest.mark.parametrize(
    ("reward", "day", "reason", "numbers"),
    [
        (replace(LATTE, dates=(date(2026, 11, 2), date(2026, 11, 9))), 1, "not_yet", {"since": "2026-11-02"}),
        (replace(LATTE, dates=(date(2026, 11, 2), date(2026, 11, 9))), 9, "over", {"until": "2026-11-09"}),
        (replace(LATTE, tiers=frozenset({"gold"})), 1, "tier", {"tier": None, "tiers": ["gold"]}),
        (replace(LATTE, per_member=2), 1, "member_limit", {"limit": 2, "taken": 2}),
        (replace(LATTE, stock=3), 1, "out_of_stock", {"stock": 3, "taken": 3}),
        (replace(LATTE, id="tea"), 1, "unknown", {}),
        (replace(CASH, id="latte"), 1, "not_a_price", {}),
    ],
)
def test_a_reward_that_cannot_be_had_says_why(
    reward: Reward, day: int, reason: str, numbers: dict[str, object]
) -> None:
    state = replace(HUNDRED, rewards={"latte": 2})
    refusal = refused(state, redeem(ForReward("latte"), at=local(2026, 11, day), taken_by_all=3), reward)

    assert isinstance(refusal, RewardNotAvailable)
    assert (refusal.reward, refusal.reason, dict(refusal.numbers)) == ("latte", reason, numbers)


def test_a_reward_with_a_price_is_no_money() -> None:
    refusal = refused(HUNDRED, redeem(AsMoney("latte", 50, 100)))
    assert isinstance(refusal, RewardNotAvailable)
    assert refusal.reason == "not_a_rate"


def test_without_a_known_programme_there_are_no_rewards_and_points_can_be_spent() -> None:
    with pytest.raises(RewardNotAvailable):
        decide(HUNDRED, redeem(ForReward("latte")), ())

    assert redeemed(decide(HUNDRED, points(10), ())).programme_version == 0


def test_the_last_of_a_limited_reward_can_be_had_and_the_fact_says_how_many_were_gone() -> None:
    reward = replace(LATTE, stock=3, per_member=2)
    facts, after = done(replace(HUNDRED, rewards={"latte": 1}), redeem(ForReward("latte"), taken_by_all=2), reward)

    assert (redeemed(facts).stock, redeemed(facts).per_member) == (Allotment(2, 3), Allotment(1, 2))
    assert after.rewards == {"latte": 2}
    assert stock_change(redeemed(facts)) == ("latte", 1)


def test_an_unlimited_reward_is_not_counted() -> None:
    facts, after = done(HUNDRED, redeem(ForReward("latte")))

    assert after.rewards == {}
    assert stock_change(redeemed(facts)) is None


def test_an_account_that_counts_enough_rewards_leaves_the_others_to_the_entries() -> None:
    full = replace(HUNDRED, rewards={f"r{number}": 0 for number in range(LIMITED_REWARDS_COUNTED)})
    limited = replace(LATTE, per_member=1)
    command = redeem(ForReward("latte"), taken_by_member=0)

    assert full.taken("latte") is None
    facts, after = done(full, command, limited)

    assert after.rewards == full.rewards
    assert taken_in([redeemed(facts)], "latte") == 1
    refusal = refused(after, replace(command, taken_by_member=1), limited)
    assert isinstance(refusal, RewardNotAvailable)
    assert refusal.reason == "member_limit"
