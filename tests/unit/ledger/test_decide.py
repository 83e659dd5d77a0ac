from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from services.ledger.domain.arrivals import Arrival, arrival
from services.ledger.domain.commands import ApplyStatus, Settle
from services.ledger.domain.decide import NoProgrammeKnown, TierNumberGapError, decide
from services.ledger.domain.evolve import BrokenInvariantError, evolve, fold
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import (
    MemberStatusApplied,
    PointsActivated,
    PointsExpired,
    PurchaseRecorded,
    TierApplied,
)
from services.ledger.domain.ids import event_id_of
from services.ledger.domain.lots import Lot
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.rules import Earn, Pending, Rule, Unit, When
from services.ledger.domain.settle import next_due
from services.ledger.domain.state import AccountState, Balance, new_account
from tests.unit.ledger.builders import (
    BASE,
    MEMBER,
    WEDNESDAY,
    P,
    activity,
    given,
    line,
    local,
    programme,
    purchase,
    recorded,
    tier,
)

NEW = new_account(MEMBER)
HUNDRED = Earn("points", Fraction(100))
TWO_WEEKS = Pending(Duration(days=14))


def in_debt(points: int, state: AccountState = NEW) -> AccountState:
    return replace(state, units={**state.units, "points": Balance(debt=points, reversed=points)})


def test_a_purchase_that_earns_nothing_leaves_a_fact() -> None:
    (fact,) = decide(NEW, purchase(line(50)), (P,))

    assert recorded((fact,)).awards == ()
    assert evolve(NEW, fact).visits == 1


def test_without_any_known_version_a_purchase_is_not_decided() -> None:
    with pytest.raises(NoProgrammeKnown):
        decide(NEW, purchase(), ())


def test_a_purchase_from_before_the_first_version_is_recorded_and_earns_nothing() -> None:
    (fact,) = decide(NEW, purchase(at=local(2025, 12, 31, 23)), (P,))

    assert recorded((fact,)).programme_version == 0
    assert recorded((fact,)).awards == ()


def test_of_two_versions_in_force_the_higher_number_decides() -> None:
    corrected = programme(BASE, version=2)

    assert recorded(decide(NEW, purchase(), (corrected, P))).programme_version == 2


def test_the_clock_of_a_stream_never_runs_backwards() -> None:
    state = given(purchase(sequence=1, clock=local(2026, 3, 11, 12)))

    facts = decide(state, purchase(sequence=2, clock=local(2026, 3, 11, 11)), (P,))

    assert facts[0].cause.recorded_at == local(2026, 3, 11, 12)


def test_what_is_due_is_settled_first_and_carries_the_decisions_id() -> None:
    state = given(purchase(line(1000), sequence=1))
    later = purchase(line(2000), sequence=2, at=local(2027, 4, 1))

    facts = decide(state, later, (P,))

    assert [type(fact) for fact in facts] == [PointsExpired, PurchaseRecorded]
    assert {fact.cause.event_id for fact in facts} == {later.event_id}
    assert [fact.cause.part for fact in facts] == [1, 0]
    assert facts[0].cause.occurred_at == local(2027, 4, 1)
    assert fold(state, facts).units["points"] == Balance(issued=30, available=20, expired=10)


def test_a_settling_fact_of_its_own_has_an_id_that_anyone_can_compute() -> None:
    state = given(purchase(line(1000)))

    (fact,) = decide(state, Settle(clock=local(2027, 5, 1)), ())

    lot = "points@2027-03-31T16:00:00Z"
    assert fact.cause.event_id == event_id_of(MEMBER, "points_expired", lot, "2027-03-31T16:00:00Z", "1")
    assert fact.cause.part == 0


def test_points_that_start_as_pending_become_available_at_their_instant() -> None:
    rules = (programme(Rule("r", HUNDRED, pending=TWO_WEEKS)),)
    state = given(purchase(), versions=rules)
    activation = WEDNESDAY + timedelta(days=14)

    assert state.units["points"] == Balance(issued=100, pending=100)
    assert next_due(state) == activation
    assert decide(state, Settle(clock=activation - timedelta(seconds=1)), ()) == ()

    (fact,) = decide(state, Settle(clock=activation + timedelta(days=3)), ())

    assert isinstance(fact, PointsActivated)
    assert fact.cause.occurred_at == activation
    assert fold(state, [fact]).units["points"] == Balance(issued=100, available=100)


def test_the_validity_of_pending_points_counts_from_activation_where_the_rule_says_so() -> None:
    ten_days = {"points": Unit("points", Validity(Duration(days=10)))}
    from_earning = programme(Rule("r", HUNDRED, pending=Pending(Duration(days=3))), units=ten_days)
    from_activation = programme(Rule("r", HUNDRED, pending=Pending(Duration(days=3), "activation")), units=ten_days)

    (lot,) = given(purchase(), versions=(from_earning,)).lots.values()
    (later,) = given(purchase(), versions=(from_activation,)).lots.values()

    assert lot.expires_at == WEDNESDAY + timedelta(days=10)
    assert later.expires_at == WEDNESDAY + timedelta(days=13)
    assert lot.activates_at == later.activates_at == WEDNESDAY + timedelta(days=3)


def test_a_lot_that_activated_and_expired_unattended_leaves_both_facts_in_order() -> None:
    short = {"points": Unit("points", Validity(Duration(days=30)))}
    state = given(purchase(), versions=(programme(Rule("r", HUNDRED, pending=TWO_WEEKS), units=short),))

    facts = decide(state, Settle(clock=local(2026, 12, 1)), ())

    assert [type(fact) for fact in facts] == [PointsActivated, PointsExpired]
    assert len({fact.cause.event_id for fact in facts}) == 2
    assert fold(state, facts).units["points"] == Balance(issued=100, expired=100)
    assert fold(state, facts).lots == {}


def test_a_purchase_that_arrives_after_its_activation_is_available_at_once() -> None:
    rules = (programme(Rule("r", HUNDRED, pending=TWO_WEEKS)),)

    facts = decide(NEW, purchase(clock=WEDNESDAY + timedelta(days=15)), rules)

    assert len(facts) == 1
    assert fold(NEW, facts).units["points"].available == 100


def test_a_credit_repays_debt_first() -> None:
    state = in_debt(80)

    state = fold(state, decide(state, purchase(line(5000), sequence=1), (P,)))
    assert state.units["points"] == Balance(issued=50, debt=30, reversed=80)

    state = fold(state, decide(state, purchase(line(5000), sequence=2), (P,)))
    assert state.units["points"] == Balance(issued=100, debt=0, available=20, reversed=80)


def test_two_awards_of_one_purchase_repay_no_more_than_is_owed() -> None:
    rules = (programme(Rule("a", HUNDRED), Rule("b", HUNDRED, expires=Validity())),)
    state = in_debt(150)

    state = fold(state, decide(state, purchase(), rules))

    assert state.units["points"] == Balance(issued=200, available=50, reversed=150)


def test_an_activation_repays_debt_first() -> None:
    pending = given(purchase(), versions=(programme(Rule("r", HUNDRED, pending=TWO_WEEKS)),))
    units = {"points": Balance(issued=100, pending=100, debt=30, reversed=30)}

    state = replace(pending, units=units)
    state = fold(state, decide(state, Settle(clock=local(2026, 4, 1)), ()))

    assert state.units["points"] == Balance(issued=100, available=70, reversed=30)


def test_C7_points_past_on_arrival_repay_no_debt() -> None:
    state = in_debt(80)

    facts = decide(state, purchase(line(5000), clock=local(2027, 6, 1)), (P,))

    assert fold(state, facts).units["points"] == Balance(issued=50, expired=50, debt=80, reversed=80)


def test_a_tier_change_is_applied_once_and_in_order() -> None:
    state = given(tier("silver", since=local(2026, 2, 1), seq=1))

    assert decide(state, tier("silver", since=local(2026, 2, 1), seq=1), ()) == ()
    (fact,) = decide(state, tier("gold", since=local(2026, 3, 1), seq=2), ())
    assert isinstance(fact, TierApplied)
    with pytest.raises(TierNumberGapError) as gap:
        decide(state, tier("gold", since=local(2026, 3, 1), seq=3), ())
    assert (gap.value.expected, gap.value.found) == (2, 3)


def test_a_status_is_applied_when_it_differs_and_its_version_is_newer() -> None:
    def status(name: str, version: int) -> ApplyStatus:
        return ApplyStatus(
            event_id=event_id_of("status", str(version)), occurred_at=WEDNESDAY, clock=WEDNESDAY, position=None,
            status=name, version=version,
        )  # fmt: skip

    state = given(status("blocked", 3))

    assert state.status == "blocked"
    assert decide(NEW, status("active", 1), ()) == ()
    assert decide(state, status("active", 2), ()) == ()
    assert isinstance(decide(state, status("active", 4), ())[0], MemberStatusApplied)


def test_an_activity_settles_and_repays_as_a_purchase_does() -> None:
    rules = (programme(BASE, Rule("gift", HUNDRED, When(activity="gift"))),)
    state = given(purchase(line(1000)), versions=rules)

    facts = decide(state, activity("gift", at=local(2027, 4, 2)), rules)

    assert [fact.cause.part for fact in facts] == [1, 0]
    assert fold(state, facts).units["points"] == Balance(issued=110, available=100, expired=10)


@pytest.mark.parametrize(
    ("known", "found"),
    [(None, Arrival.FIRST), ("a", Arrival.DUPLICATE), ("b", Arrival.CONFLICT)],
)
def test_an_event_that_was_here_is_a_duplicate_or_a_conflict(known: str | None, found: Arrival) -> None:
    assert arrival(known, "a") is found


def test_the_fold_stops_at_a_fact_that_takes_more_than_there_is() -> None:
    state = given(purchase(line(1000)))
    (fact,) = decide(state, Settle(clock=local(2027, 5, 1)), ())
    lot = "points@2027-03-31T16:00:00Z"
    greedy = replace(fact, moves=(Move("points", lot, Bucket.AVAILABLE, Bucket.EXPIRED, 11),))

    with pytest.raises(BrokenInvariantError):
        evolve(state, greedy)


def test_the_fold_stops_at_a_fact_that_takes_from_another_lot_than_has_the_points() -> None:
    state = given(purchase(line(1000)))
    (fact,) = decide(state, Settle(clock=local(2027, 5, 1)), ())
    elsewhere = replace(fact, moves=(Move("points", "points@never", Bucket.AVAILABLE, Bucket.EXPIRED, 10),))

    with pytest.raises(BrokenInvariantError, match="points@never"):
        evolve(state, elsewhere)


def test_the_fold_stops_at_a_fact_recorded_before_its_predecessor() -> None:
    earlier = decide(NEW, purchase(sequence=2, clock=WEDNESDAY), (P,))

    with pytest.raises(BrokenInvariantError, match="predecessor"):
        fold(given(purchase(sequence=1, clock=local(2026, 3, 12))), earlier)


def test_the_fold_leaves_the_account_before_it_alone() -> None:
    state = given(purchase(line(1000), sequence=1))
    before = replace(state, units=dict(state.units), lots=dict(state.lots))

    fold(state, decide(state, purchase(line(2000), sequence=2), (P,)))

    assert state == before


def test_what_several_purchases_put_into_one_lot_is_one_amount() -> None:
    state = given(purchase(line(1000), sequence=1), purchase(line(2000), sequence=2))

    lot = "points@2027-03-31T16:00:00Z"
    assert state.lots == {lot: Lot(lot, "points", local(2027, 4, 1), None, 0, 30, 0)}
