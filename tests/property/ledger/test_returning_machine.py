"""Our ledger and a plain one take sales back, void returns and correct, and must agree after each step."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule

from services.ledger.domain.balances import view
from services.ledger.domain.commands import RecordPurchase, RecordReturn
from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.facts import Fact, ReturnRecorded
from services.ledger.domain.ids import EventId
from services.ledger.domain.state import Balance
from tests.property.ledger.life import MemberLife, seconds
from tests.property.ledger.reference_with_returns import ReferenceLedger
from tests.unit.ledger.customers import back, coming_back


class ReturningMachine(MemberLife):
    """Sales come back, in part and whole, and returns are voided."""

    returns: Bundle[RecordReturn] = Bundle("returns")
    plain_ledger = ReferenceLedger

    @rule(target=returns, sale=MemberLife.sales, share=st.integers(1, 4), later=seconds)
    def bring_back_a_part(self, sale: RecordPurchase, share: int, later: int) -> RecordReturn:
        """What is still there, or a part of it."""
        amount = max(self.reference.sales[sale.event_id].left, 0) // share
        self.now += timedelta(seconds=later)
        return self.send_back("return", sale.event_id, back(1, amount, quantity="0"))

    @rule(target=returns, returned=returns)
    def void_a_return_or_a_void(self, returned: RecordReturn) -> RecordReturn:
        if returned.kind == "void":
            return returned
        return self.send_back("void", returned.event_id)

    @rule(sale=MemberLife.sales, goes=st.booleans())
    def void_a_sale(self, sale: RecordPurchase, goes: bool) -> None:
        # Rarely, for a sale that is voided has no more to show.
        if goes and self.number % 3 == 0:
            self.send_back("void", sale.event_id)

    @rule(returned=returns)
    def hear_of_a_return_again(self, returned: RecordReturn) -> None:
        self.take_back(replace(returned, clock=self.now))

    def send_back(self, kind: str, original: EventId, *lines: ReturnedLine) -> RecordReturn:
        self.number += 1
        command = coming_back(kind, original, *lines, at=self.now, number=self.number)
        self.take_back(command)
        return command

    def take_back(self, command: RecordReturn) -> None:
        found = self.send(command, command.fingerprint)
        event, original = command.event_id, command.original_id
        if command.kind == "return":
            expected = self.reference.bring_back(event, original, command.lines[0].net)
        elif original in self.reference.sales:
            expected = self.reference.void_sale(event, original)
        else:
            (returned,) = [fact for fact in self.stream if fact.cause.event_id == original and fact.cause.part == 0]
            assert isinstance(returned, ReturnRecorded)
            expected = self.reference.void_return(event, returned.original_id, original)
        assert expected == found

    @invariant()
    def balances_agree(self) -> None:
        live = view(self.state, self.now)
        for unit in ("points", "stars"):
            balance = live.units[unit].balance if unit in live.units else Balance()
            assert balance == Balance(
                issued=self.reference.issued(unit),
                pending=self.reference.pending(unit, live.at),
                available=self.reference.available(unit, live.at),
                expired=self.reference.expired(unit, live.at),
                reversed=self.reference.taken_back(unit),
            )
        assert self.state.visits == self.reference.purchases

    def past(self) -> Sequence[Fact]:
        return self.stream


ReturningMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestReturning = ReturningMachine.TestCase
