"""What two machines have in common: a member buys, reviews, changes tier, and time passes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from services.ledger.adapters.canonical import decode, decode_state, encode, encode_state
from services.ledger.domain.arrivals import Arrival, arrival
from services.ledger.domain.balances import as_of, view
from services.ledger.domain.commands import (
    ApplyTier,
    Command,
    RecordActivity,
    RecordPurchase,
    RecordReturn,
    Settle,
)
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import evolve, fold
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import (
    ActivityRecorded,
    Fact,
    PurchaseRecorded,
    ReturnRecorded,
    ReturnVoided,
)
from services.ledger.domain.rewards import Reward
from services.ledger.domain.rules import Basis, Cap, Earn, Pending, Rule, Rules, Unit, When
from services.ledger.domain.settle import next_due
from services.ledger.domain.state import AccountState, new_account
from services.ledger.domain.verify import first_imbalance
from tests.unit.ledger.builders import BASE, MEMBER, YEAR_TO_MONTH_END, activity, line, programme, purchase, tier

START = datetime(2026, 1, 20, 3, tzinfo=UTC)
PER_YUAN = Earn("points", Fraction(1), Basis.AMOUNT, 100)
TREAT = 30
PROGRAMME: Rules = programme(
    BASE,
    Rule("bonus", PER_YUAN, cap=Cap(120, "day")),
    Rule("stars", Earn("stars", Fraction(2), Basis.AMOUNT, 100), pending=Pending(Duration(days=14))),
    Rule("review", Earn("points", Fraction(20)), When(activity="review"), expires=Validity()),
    starts_at=START - timedelta(days=2000),
    rewards={"treat": Reward("treat", {"points": TREAT}, per_member=2)},
    units={"points": Unit("points", YEAR_TO_MONTH_END), "stars": Unit("stars", Validity(Duration(days=30)))},
)

amounts = st.integers(0, 30_000)
seconds = st.integers(0, 3 * 86_400)
days = st.integers(0, 60)
days_late = st.integers(1, 800)


class MemberLife(RuleBasedStateMachine):
    """Each rule is one step of a member's life; time only moves where a rule says so.

    `plain_ledger` makes the reference.
    """

    sales: Bundle[RecordPurchase] = Bundle("sales")
    reviews: Bundle[RecordActivity] = Bundle("reviews")
    reference: Any
    plain_ledger: Callable[[], Any]

    @initialize()
    def open_account(self) -> None:
        self.now = START
        self.number = 0
        self.tier_changes = 0
        self.state: AccountState = new_account(MEMBER)
        self.stream: list[Fact] = []
        self.reference = type(self).plain_ledger()

    @rule(target=sales, amount=amounts)
    def buy(self, amount: int) -> RecordPurchase:
        return self.sell(amount, self.now)

    @rule(target=sales, amount=amounts, late=days_late)
    def hear_late_of_a_sale(self, amount: int, late: int) -> RecordPurchase:
        return self.sell(amount, self.now - timedelta(days=late))

    @precondition(lambda self: self.reference.tiers)
    @rule(target=sales, amount=amounts, data=st.data())
    def hear_of_a_sale_at_the_instant_of_a_tier_change(self, amount: int, data: st.DataObject) -> RecordPurchase:
        since, _ = data.draw(st.sampled_from(self.reference.tiers))
        return self.sell(amount, since)

    @rule(target=sales, amount=amounts, behind=seconds)
    def buy_where_the_clock_is_behind(self, amount: int, behind: int) -> RecordPurchase:
        return self.sell(amount, self.now, clock=self.now - timedelta(seconds=behind))

    @rule(sale=sales)
    def hear_of_a_sale_again(self, sale: RecordPurchase) -> None:
        self.send_sale(sale._replace(clock=self.now))

    @rule(sale=sales, amount=amounts)
    def hear_of_a_sale_with_other_content(self, sale: RecordPurchase, amount: int) -> None:
        self.send_sale(sale._replace(clock=self.now, lines=(line(amount),), fingerprint="e" * 64))

    @rule(target=reviews)
    def review(self) -> RecordActivity:
        self.number += 1
        command = activity("review", at=self.now, reference=str(self.number), clock=self.now)
        self.send_review(command)
        return command

    @rule(review=consumes(reviews))
    def hear_of_a_review_again(self, review: RecordActivity) -> None:
        self.send_review(replace(review, clock=self.now))

    @rule(name=st.sampled_from(["gold", None]), earlier=st.just(0) | days)
    def change_tier(self, name: str | None, earlier: int) -> None:
        self.tier_changes += 1
        since = self.now - timedelta(days=earlier)
        self.reference.change_tier(since, name)
        self.record(tier(name, since=since, seq=self.tier_changes, clock=self.now))

    @rule(change=seconds)
    def let_a_little_time_pass(self, change: int) -> None:
        self.now += timedelta(seconds=change)

    @rule(change=days)
    def let_days_pass(self, change: int) -> None:
        self.now += timedelta(days=change)

    @rule()
    def wait_for_what_is_due(self) -> None:
        self.now = max(self.now, next_due(self.state) or self.now)

    @rule()
    def run_the_job(self) -> None:
        self.record(Settle(clock=self.now))

    def sell(self, amount: int, at: datetime, clock: datetime | None = None) -> RecordPurchase:
        self.number += 1
        command = purchase(line(amount), at=at, sequence=self.number, clock=clock or self.now)
        self.send_sale(command)
        return command

    def send_sale(self, command: RecordPurchase) -> None:
        found = self.send(command, command.fingerprint)
        amount, at = command.lines[0].net, command.occurred_at
        assert self.reference.purchase(command.event_id, command.fingerprint, amount, at) == found

    def send_review(self, command: RecordActivity) -> None:
        found = self.send(command, command.fingerprint)
        assert self.reference.review(command.event_id, command.occurred_at) == found

    def send(self, command: RecordPurchase | RecordReturn | RecordActivity, fingerprint: str) -> Arrival:
        known = [
            fact.fingerprint
            for fact in self.stream
            if isinstance(fact, PurchaseRecorded | ReturnRecorded | ReturnVoided | ActivityRecorded)
            and fact.cause.event_id == command.event_id
        ]
        found = arrival(known[0] if known else None, fingerprint)
        if found is Arrival.FIRST:
            self.record(command)
        return found

    def record(self, command: Command | ApplyTier) -> None:
        facts = decide(self.state, command, (PROGRAMME,), self.past())
        self.state = fold(self.state, facts)
        self.stream += facts

    def past(self) -> Sequence[Fact]:
        """What a decision is told of the stream."""
        return ()

    @invariant()
    def the_books_balance(self) -> None:
        assert first_imbalance(self.state) is None

    @invariant()
    def as_of_now_is_the_live_balance(self) -> None:
        live = view(self.state, self.now)
        then = as_of(MEMBER, self.stream, at=live.at, known_at=live.at)
        assert then == {unit: seen.balance for unit, seen in live.units.items()}

    @invariant()
    def whoever_decided_has_settled(self) -> None:
        due, last = next_due(self.state), self.state.last_recorded_at
        assert due is None or last is None or due > last

    @invariant()
    def nothing_is_due_before_its_time(self) -> None:
        due = next_due(self.state)
        assert (due is not None and due <= self.now) or decide(self.state, Settle(clock=self.now), ()) == ()

    def teardown(self) -> None:
        if not hasattr(self, "stream"):
            return
        numbered = list(enumerate(self.stream, start=1))
        assert len({(fact.cause.event_id, fact.cause.part) for fact in self.stream}) == len(self.stream)
        read = [decode(encode(MEMBER, number, fact)) for number, fact in numbered]
        assert read == [(MEMBER, number, fact) for number, fact in numbered]
        refolded = new_account(MEMBER)
        for _, _, fact in read:
            refolded = evolve(refolded, fact)
        assert refolded == self.state
        assert encode_state(decode_state(encode_state(refolded))) == encode_state(self.state)
