"""Our ledger and a plain one do the same steps and must agree after each of them."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    invariant,
    multiple,
    rule,
)

from services.ledger.domain.balances import view
from services.ledger.domain.commands import (
    CancelRedemption,
    ForPoints,
    ForReward,
    RedeemPoints,
    Wish,
)
from services.ledger.domain.facts import CommandKey, SpendingFact
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.refusals import InsufficientPoints, RedemptionAlreadyCancelled, RewardNotAvailable
from services.ledger.domain.spending import first_excess, taken_in
from services.ledger.domain.state import Balance
from tests.property.ledger.life import TREAT, MemberLife
from tests.property.ledger.reference import ReferenceLedger


class LedgerMachine(MemberLife):
    """Points are earned, spent and given back."""

    redemptions: Bundle[EventId] = Bundle("redemptions")
    plain_ledger = ReferenceLedger

    @rule(target=redemptions, unit=st.sampled_from(["points", "stars"]), wanted=st.integers(1, 300))
    def redeem(self, unit: str, wanted: int) -> Any:
        return self.spend(ForPoints(unit, wanted), unit, wanted)

    @rule(target=redemptions)
    def redeem_a_reward_of_which_each_may_have_two(self) -> Any:
        if self.state.rewards.get("treat") == 2:
            with pytest.raises(RewardNotAvailable):
                self.record(self.redemption(ForReward("treat")))
            return multiple()
        return self.spend(ForReward("treat"), "points", TREAT)

    @rule(redemption=redemptions)
    def cancel(self, redemption: EventId) -> None:
        command = self.cancellation(redemption)
        if not self.reference.redemptions[redemption]:
            with pytest.raises(RedemptionAlreadyCancelled):
                self.record(command)
            return
        self.reference.cancel(redemption)
        self.record(command)

    def cancellation(self, redemption: EventId) -> CancelRedemption:
        self.number += 1
        return CancelRedemption(
            event_id=event_id_of("cancel", str(self.number)),
            occurred_at=self.now,
            clock=self.now,
            command=CommandKey("till", str(self.number), "c" * 64),
            redemption_id=redemption,
            spending=tuple(fact for fact in self.stream if isinstance(fact, SpendingFact)),
        )

    def redemption(self, wish: Wish) -> RedeemPoints:
        self.number += 1
        return RedeemPoints(
            event_id=event_id_of("redeem", str(self.number)),
            occurred_at=self.now,
            clock=self.now,
            command=CommandKey("till", str(self.number), "d" * 64),
            wish=wish,
            order=None,
            status="active",
        )

    def spend(self, wish: Wish, unit: str, wanted: int) -> Any:
        command = self.redemption(wish)
        if self.reference.redeem(command.event_id, unit, wanted, self.now):
            self.record(command)
            return command.event_id
        with pytest.raises(InsufficientPoints) as refusal:
            self.record(command)
        assert refusal.value.available == self.reference.available(unit, self.now)
        return multiple()

    @invariant()
    def balances_agree(self) -> None:
        live = view(self.state, self.now)
        for unit in ("points", "stars"):
            balance = live.units[unit].balance if unit in live.units else Balance()
            assert balance == Balance(
                issued=self.reference.issued(unit),
                pending=self.reference.pending(unit, live.at),
                available=self.reference.available(unit, live.at),
                spent=self.reference.spent(unit),
                expired=self.reference.expired(unit, live.at),
            )
        assert self.state.visits == self.reference.purchases

    @invariant()
    def no_redemption_gives_back_more_than_it_spent(self) -> None:
        spending = [fact for fact in self.stream if isinstance(fact, SpendingFact)]
        assert first_excess(spending) is None
        assert self.state.rewards.get("treat", 0) == taken_in(spending, "treat") <= 2


LedgerMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase
