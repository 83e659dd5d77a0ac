from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

from services.ledger.adapters.verification import Verdict
from services.ledger.domain.balances import Expiring, as_of, lots, view
from services.ledger.domain.commands import Command, Settle
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import Fact
from services.ledger.domain.rules import Earn, Pending, Rule, Rules
from services.ledger.domain.state import AccountState, Balance, new_account
from services.ledger.domain.verify import first_difference, first_imbalance, first_leak
from tests.unit.ledger.builders import MEMBER, WEDNESDAY, P, given, line, local, programme, purchase

HUNDRED = Earn("points", Fraction(100))


def stream(*commands: Command, versions: tuple[Rules, ...] = (P,)) -> list[Fact]:
    state = new_account(MEMBER)
    facts: list[Fact] = []
    for command in commands:
        decided = decide(state, command, versions)
        state = fold(state, decided)
        facts += decided
    return facts


def test_a_view_settles_without_recording() -> None:
    state = given(purchase(line(1000), sequence=1), purchase(line(2000), sequence=2, at=local(2026, 5, 1)))

    before, after = view(state, local(2027, 3, 31)), view(state, local(2027, 4, 1))

    assert before.units["points"].balance == Balance(issued=30, available=30)
    assert before.units["points"].expiring == (Expiring(local(2027, 4, 1), 10), Expiring(local(2027, 6, 1), 20))
    assert after.units["points"].balance == Balance(issued=30, available=20, expired=10)
    assert after.member_seq == state.member_seq


def test_a_view_is_never_older_than_what_is_recorded() -> None:
    state = given(purchase(clock=local(2026, 3, 11, 12)))

    assert view(state, local(2026, 3, 11, 10)).at == local(2026, 3, 11, 12)


def test_lots_stand_in_the_order_in_which_they_are_spent() -> None:
    rules = (
        programme(
            Rule("never", HUNDRED, expires=Validity()),
            Rule("soon", HUNDRED, expires=Validity(Duration(days=30))),
            Rule("later", HUNDRED),
            Rule("never-later", HUNDRED, expires=Validity(), pending=Pending(Duration(days=1))),
        ),
    )

    ids = [lot.id for lot in lots(given(purchase(), versions=rules), WEDNESDAY)]

    assert ids == [
        "points@2026-04-10T01:24:31Z",
        "points@2027-03-31T16:00:00Z",
        "points@never",
        "points@never+2026-03-12T01:24:31Z",
    ]


def test_as_of_an_earlier_instant_what_happened_later_does_not_count() -> None:
    facts = stream(purchase(line(1000), sequence=1), purchase(line(2000), sequence=2, at=local(2026, 3, 20)))

    assert as_of(MEMBER, facts, at=local(2026, 3, 15), known_at=local(2026, 4, 1)) == {
        "points": Balance(issued=10, available=10)
    }


def test_a_late_purchase_counts_from_when_it_happened_for_who_knows_of_it() -> None:
    facts = stream(purchase(line(1000), sequence=1, clock=local(2026, 6, 1)))
    when = local(2026, 4, 1)

    assert as_of(MEMBER, facts, at=when, known_at=local(2026, 5, 1)) == {}
    assert as_of(MEMBER, facts, at=when, known_at=local(2026, 6, 1))["points"].available == 10


def test_a_history_imported_after_its_lots_are_past_reads_as_it_was() -> None:
    facts = stream(purchase(line(1000), clock=local(2029, 1, 1)))
    today = local(2029, 1, 1)

    assert as_of(MEMBER, facts, at=local(2026, 12, 1), known_at=today)["points"] == Balance(issued=10, available=10)
    assert as_of(MEMBER, facts, at=local(2027, 4, 1), known_at=today)["points"] == Balance(issued=10, expired=10)


def test_pending_points_are_pending_as_of_any_instant_before_their_activation() -> None:
    rules = (programme(Rule("r", HUNDRED, pending=Pending(Duration(days=14)))),)
    facts = stream(purchase(), Settle(clock=local(2026, 5, 1)), versions=rules)
    activation = WEDNESDAY + timedelta(days=14)

    early = as_of(MEMBER, facts, at=activation - timedelta(seconds=1), known_at=local(2026, 5, 1))
    late = as_of(MEMBER, facts, at=activation, known_at=local(2026, 5, 1))

    assert early["points"] == Balance(issued=100, pending=100)
    assert late["points"] == Balance(issued=100, available=100)


def test_a_cache_that_is_not_the_fold_is_named_by_its_first_field() -> None:
    state = given(purchase())

    assert first_difference(state, state) is None
    assert (first_difference(replace(state, visits=7), state) or "").startswith("visits")


def test_lots_that_do_not_add_up_to_the_balance_are_an_imbalance() -> None:
    state = given(purchase())

    assert first_imbalance(state) is None
    assert first_imbalance(replace(state, lots={})) == "points: lots hold 0 available, the balance says 10"


def test_over_the_ledger_what_was_sent_must_have_been_received() -> None:
    state = given(purchase())
    sender = replace(state, units={"points": Balance(issued=5, sent=5)})
    receiver = replace(state, units={"points": Balance(received=5, spent=5)})

    assert first_leak(sums(state, sender, receiver)) is None
    assert first_leak(sums(state, sender)) is not None


def sums(*states: AccountState) -> Mapping[str, Balance]:
    verdict = Verdict()
    for state in states:
        verdict.count(state)
    return verdict.totals()
