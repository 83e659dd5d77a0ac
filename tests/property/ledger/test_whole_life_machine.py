"""Everything a member can do, in any order: buying, spending, cancelling, bringing back, voiding, changing tier."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, invariant, multiple, precondition, rule

from services.ledger.domain.balances import view
from services.ledger.domain.commands import (
    ApplyTier,
    Command,
    ForPoints,
    RecordPurchase,
    RecordReturn,
    Wish,
)
from services.ledger.domain.decide import decide
from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.evolve import fold
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.refusals import InsufficientPoints, RedemptionAlreadyCancelled, RewardNotAvailable
from services.ledger.domain.sale import sales_in
from tests.property.ledger.life import PROGRAMME
from tests.property.ledger.plain_payments import Payments
from tests.property.ledger.test_ledger_machine import LedgerMachine
from tests.unit.ledger.builders import line, purchase
from tests.unit.ledger.customers import back, coming_back, paid
from tests.unit.ledger.paying import given_back

payable = st.integers(1, 30_000)


class WholeLifeMachine(LedgerMachine):
    """No plain ledger foretells debts; what must hold of any books is asked after each step instead.

    Of what points paid and what came back of it a plain account is kept beside.
    """

    returns: Bundle[RecordReturn] = Bundle("returns")
    paid_sales: Bundle[RecordPurchase] = Bundle("paid_sales")
    paid_returns: Bundle[RecordReturn] = Bundle("paid_returns")

    @initialize()
    def open_payments(self) -> None:
        self.payments = Payments()

    @precondition(lambda self: self.can_spend())
    @rule(target=paid_sales, amount=payable, share=st.integers(1, 3), part=st.integers(1, 3))
    def spend_points_and_pay_with_them(self, amount: int, share: int, part: int) -> Any:
        wanted = -(-self.can_spend() // part)
        redemption = self.spend(ForPoints("points", wanted), "points", wanted)
        return self.pay(redemption, amount, -(-amount // share))

    @rule(target=paid_sales, redemption=LedgerMachine.redemptions, amount=payable, share=st.integers(1, 3))
    def pay_with_what_may_have_paid_before(self, redemption: EventId, amount: int, share: int) -> RecordPurchase:
        return self.pay(redemption, amount, -(-amount // share))

    @rule(target=paid_sales, amount=payable)
    def pay_with_points_that_nobody_spent(self, amount: int) -> RecordPurchase:
        return self.pay(event_id_of("nobody"), amount, amount)

    @rule(target=returns, sale=st.one_of(LedgerMachine.sales, paid_sales), share=st.integers(1, 4))
    def bring_back(self, sale: RecordPurchase, share: int) -> RecordReturn:
        return self.return_of(sale, share)

    @rule(targets=(returns, paid_returns), sale=paid_sales, share=st.integers(1, 4))
    def bring_back_what_points_paid(self, sale: RecordPurchase, share: int) -> RecordReturn:
        return self.return_of(sale, share)

    @rule(sale=st.one_of(LedgerMachine.sales, paid_sales))
    def void_a_sale(self, sale: RecordPurchase) -> None:
        self.send_back("void", sale.event_id)
        self.payments.void_sale(sale.event_id)

    @rule(returned=returns)
    def void_a_return(self, returned: RecordReturn) -> None:
        self.void_of(returned)

    @rule(returned=consumes(paid_returns))
    def void_a_return_of_what_points_paid(self, returned: RecordReturn) -> None:
        self.void_of(returned)

    @rule(redemption=LedgerMachine.redemptions)
    def cancel(self, redemption: EventId) -> None:
        command = self.cancellation(redemption)
        if self.payments.cancel(redemption):
            self.record(command)
            return
        with pytest.raises(RedemptionAlreadyCancelled):
            self.record(command)

    def spend(self, wish: Wish, unit: str, wanted: int) -> Any:
        command = self.redemption(wish)
        try:
            self.record(command)
        except (InsufficientPoints, RewardNotAvailable):
            return multiple()
        self.payments.redeem(command.event_id, wanted)
        return command.event_id

    def can_spend(self) -> int:
        return view(self.state, self.now).units["points"].balance.available if "points" in self.state.units else 0

    def void_of(self, returned: RecordReturn) -> None:
        self.send_back("void", returned.event_id)
        self.payments.void_return(returned.event_id, returned.original_id)

    def return_of(self, sale: RecordPurchase, share: int) -> RecordReturn:
        net = sale.lines[0].net // share
        command = self.send_back("return", sale.event_id, back(1, net, quantity="0"))
        self.payments.bring_back(command.event_id, sale.event_id, net)
        return command

    def pay(self, redemption: EventId, amount: int, in_points: int) -> RecordPurchase:
        self.number += 1
        tenders = paid({redemption: in_points}, amount)
        sale = purchase(line(amount), at=self.now, sequence=self.number, clock=self.now, tenders=tenders)
        self.send_sale(sale)
        self.payments.pay(redemption, sale.event_id, amount, in_points)
        return sale

    def send_back(self, kind: str, original: EventId, *lines: ReturnedLine) -> RecordReturn:
        self.number += 1
        command = coming_back(kind, original, *lines, at=self.now, number=self.number)
        self.record(command)
        return command

    def record(self, command: Command | ApplyTier) -> None:
        facts = decide(self.state, command, (PROGRAMME,), self.stream)
        self.state = fold(self.state, facts)
        self.stream += facts

    @invariant()
    def balances_agree(self) -> None:
        """What is owed is paid with whatever can be spent."""
        assert not [unit for unit, balance in self.state.units.items() if balance.debt and balance.available]

    @invariant()
    def nobody_loses_what_was_never_given(self) -> None:
        assert all(held.points >= 0 for sale in sales_in(self.stream).values() for held in sale.rules.values())

    @invariant()
    def returns_give_back_what_paid_for_them(self) -> None:
        redemptions = self.payments.redemptions
        assert {name: given_back(self.stream, name) for name in map(EventId, redemptions)} == {
            name: redeemed.given for name, redeemed in redemptions.items()
        }
        left = sum(each.spent - each.given - each.cancelled for each in redemptions.values())
        assert sum(balance.spent for balance in self.state.units.values()) == left

    @invariant()
    def what_paid_for_sales_that_are_gone_is_all_back(self) -> None:
        for name, redeemed in self.payments.redemptions.items():
            if redeemed.sales and all(sale.gone == 1 for sale in redeemed.sales.values()):
                assert given_back(self.stream, EventId(name)) + redeemed.cancelled == redeemed.spent


WholeLifeMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWholeLife = WholeLifeMachine.TestCase
