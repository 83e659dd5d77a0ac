"""Everything a member can do, in any order: buying, spending, cancelling, bringing back, voiding, changing tier."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from services.ledger.domain.commands import (
    ApplyTier,
    CancelRedemption,
    Command,
    RecordPurchase,
    RecordReturn,
    Wish,
)
from services.ledger.domain.decide import decide
from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import CommandKey, SpendingFact
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.refusals import InsufficientPoints, RedemptionAlreadyCancelled, RewardNotAvailable
from services.ledger.domain.sale import sales_in
from tests.property.ledger.life import PROGRAMME
from tests.property.ledger.test_ledger_machine import LedgerMachine
from tests.unit.ledger.customers import back, coming_back


class WholeLifeMachine(LedgerMachine):
    """No plain ledger foretells debts; what must hold of any books is asked after each step instead."""

    returns: Bundle[RecordReturn] = Bundle("returns")

    @rule(target=returns, sale=LedgerMachine.sales, share=st.integers(1, 4))
    def bring_back(self, sale: RecordPurchase, share: int) -> RecordReturn:
        return self.send_back("return", sale.event_id, back(1, sale.lines[0].net // share, quantity="0"))

    @rule(sale=LedgerMachine.sales)
    def void_a_sale(self, sale: RecordPurchase) -> None:
        self.send_back("void", sale.event_id)

    @rule(returned=returns)
    def void_a_return(self, returned: RecordReturn) -> None:
        self.send_back("void", returned.event_id)

    @rule(redemption=LedgerMachine.redemptions)
    def cancel(self, redemption: EventId) -> None:
        self.number += 1
        command = CancelRedemption(
            event_id=event_id_of("cancel", str(self.number)),
            occurred_at=self.now,
            clock=self.now,
            command=CommandKey("till", str(self.number), "c" * 64),
            redemption_id=redemption,
            spending=tuple(fact for fact in self.stream if isinstance(fact, SpendingFact)),
        )
        try:
            self.record(command)
        except RedemptionAlreadyCancelled:
            return

    def spend(self, wish: Wish, unit: str, wanted: int) -> Any:
        command = self.redemption(wish)
        try:
            self.record(command)
        except (InsufficientPoints, RewardNotAvailable):
            return multiple()
        return command.event_id

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


WholeLifeMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWholeLife = WholeLifeMachine.TestCase
