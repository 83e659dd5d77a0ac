"""What comes back: the worked cases of the domain, by number."""

from datetime import timedelta
from fractions import Fraction
from itertools import permutations

import pytest

from services.ledger.domain.balances import as_of
from services.ledger.domain.evidence import Waived
from services.ledger.domain.facts import PointsCorrected, PointsExpired, ReturnRecorded
from services.ledger.domain.moves import Bucket
from services.ledger.domain.rules import Basis, Cap, Clawback, Earn, Rule, Rules, Unit, When
from services.ledger.domain.state import Balance
from tests.unit.ledger.builders import BASE, MEMBER, WEDNESDAY, line, local, programme
from tests.unit.ledger.customers import Customer, back, spend, taken, whole

PER_YUAN = Earn("points", Fraction(1), Basis.AMOUNT, 100)
BY_LINE = [line(500, number=number) for number in (1, 2, 3, 4)] + [line(190, number=5)]
PER_TEN = programme(Rule("base", Earn("points", Fraction(1), Basis.AMOUNT, 1000)))


def with_policy(policy: Clawback, *rules: Rule) -> Rules:
    return programme(*(rules or (BASE,)), units={"points": Unit("points", on_clawback=policy)})


@pytest.mark.parametrize("order", list(permutations((1, 2, 3, 4)))[::5])
def test_C12_four_returns_take_one_nothing_one_nothing_whichever_line_comes_first(order: tuple[int, ...]) -> None:
    customer = Customer(PER_TEN)
    sale = customer.buys(*BY_LINE)
    assert customer.balance().available == 2

    assert [taken(customer.returns(sale, back(number, 500))) for number in order] == [1, 0, 1, 0]

    assert customer.balance() == Balance(issued=2, reversed=2)
    assert customer.books_are_in_order()


def test_C12_two_lines_at_once_take_what_they_would_have_taken_one_by_one() -> None:
    customer = Customer(PER_TEN)
    sale = customer.buys(*BY_LINE)

    assert taken(customer.returns(sale, back(1, 500), back(2, 500, number=2))) == 1
    assert taken(customer.returns(sale, back(3, 500), back(4, 500, number=2))) == 1


def test_C13_a_bonus_that_needs_a_minimum_goes_with_it() -> None:
    bonus = Rule("bonus", Earn("points", Fraction(50)), When(minimum_minor=10_000))
    customer = Customer(programme(BASE, bonus))
    sale = customer.buys(line(9000, number=1), line(3000, number=2))

    recorded = customer.returns(sale, back(2, 3000))

    assert {change.rule: (change.before, change.after) for change in recorded.changes} == {
        "base": (120, 90),
        "bonus": (50, 0),
    }
    assert customer.balance().available == 90


def test_C14_what_was_spent_becomes_debt_that_the_next_points_repay() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    spend(customer, 80)

    recorded = customer.returns(sale, *whole(line(10_000)))

    assert [(move.source, move.points) for move in recorded.moves] == [(Bucket.AVAILABLE, 20), (Bucket.DEBT, 80)]
    assert (customer.balance().available, customer.balance().debt) == (0, 80)
    customer.buys(line(5000))
    assert (customer.balance().available, customer.balance().debt) == (0, 30)
    customer.buys(line(5000))
    assert (customer.balance().available, customer.balance().debt) == (20, 0)
    assert customer.books_are_in_order()


@pytest.mark.parametrize(("policy", "takes", "waives"), [("within_balance", 20, 80), ("pending_only", 0, 100)])
def test_C14_a_unit_may_waive_what_is_not_there(policy: Clawback, takes: int, waives: int) -> None:
    customer = Customer(with_policy(policy))
    sale = customer.buys(line(10_000))
    spend(customer, 80)

    recorded = customer.returns(sale, *whole(line(10_000)))

    assert recorded.waived == (Waived("points", waives),)
    assert sum(move.points for move in recorded.moves) == takes
    assert customer.balance() == Balance(issued=100, available=20 - takes, spent=80, reversed=takes)


def test_C14_what_was_waived_is_not_asked_for_again() -> None:
    customer = Customer(with_policy("pending_only"))
    sale = customer.buys(line(4000, number=1), line(6000, number=2))

    first = customer.returns(sale, back(1, 4000))
    second = customer.returns(sale, back(2, 6000))

    assert (first.waived, second.waived) == ((Waived("points", 40),), (Waived("points", 60),))


def test_C24_points_that_expired_unspent_are_taken_from_what_expired() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    customer.waits(local(2027, 5, 1))
    assert customer.balance() == Balance(issued=100, expired=100)

    recorded = customer.returns(sale, *whole(line(10_000)))

    assert [move.source for move in recorded.moves] == [Bucket.EXPIRED]
    assert customer.balance() == Balance(issued=100, reversed=100)


def test_C24_a_return_that_brings_the_expiry_to_record_finds_it() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    customer.now = local(2027, 5, 1)

    customer.returns(sale, *whole(line(10_000)))

    assert customer.balance() == Balance(issued=100, reversed=100)
    assert [type(fact) for fact in customer.stream[1:]] == [PointsExpired, ReturnRecorded]


def test_C24_what_another_purchase_had_in_the_lot_may_be_taken_only_once() -> None:
    customer = Customer()
    first, second = customer.buys(line(10_000)), customer.buys(line(5000))
    spend(customer, 120)
    customer.waits(local(2027, 5, 1))

    customer.returns(first, *whole(line(10_000)))
    customer.returns(second, *whole(line(5000)))

    assert customer.balance() == Balance(issued=150, debt=120, spent=120, reversed=150)


def test_C24_a_history_read_before_the_expiry_shows_the_return_and_no_expired_points() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    customer.now = local(2027, 5, 1)
    customer.returns(sale, *whole(line(10_000)), occurred_at=local(2026, 6, 1))

    def then(month: int) -> Balance:
        return as_of(MEMBER, customer.stream, at=local(2026, month, 15), known_at=customer.now)["points"]

    assert then(5) == Balance(issued=100, available=100)
    assert then(7) == Balance(issued=100, reversed=100)


def test_C3_a_return_frees_the_cap_for_sales_recorded_afterwards_and_not_for_those_before() -> None:
    customer = Customer(programme(Rule("bonus", PER_YUAN, cap=Cap(100, "day"))))
    first, second = customer.buys(line(8000)), customer.buys(line(5000))
    assert customer.balance().available == 100

    assert taken(customer.returns(first, *whole(line(8000)))) == 80

    assert customer.balance().available == 20
    assert customer.state.caps == {"bonus": {"2026-03-11": 20}}
    customer.buys(line(10_000))
    assert customer.balance().available == 100
    assert taken(customer.returns(second, *whole(line(5000)))) == 20


def test_C4_a_return_is_judged_by_the_version_of_its_sale() -> None:
    tripled = Rule("base", Earn("points", Fraction(3), Basis.AMOUNT, 100))
    customer = Customer(programme(BASE), programme(tripled, version=2, starts_at=local(2026, 5, 1)))
    sale = customer.buys(line(1000), at=local(2026, 4, 30, 23, 50))
    customer.now = local(2026, 6, 1)

    recorded = customer.returns(sale, *whole(line(1000)))

    assert (recorded.programme_version, taken(recorded)) == (1, 10)


def test_C18_a_purchase_that_ran_ahead_of_its_tier_is_corrected_once() -> None:
    customer = Customer()
    sale = customer.buys(line(4090, category="food"))
    customer.now += timedelta(hours=2)

    applied, corrected = customer.reaches("gold", since=WEDNESDAY - timedelta(hours=1))

    assert isinstance(corrected, PointsCorrected)
    assert (corrected.original_id, corrected.tier, corrected.cause.part) == (sale, "gold", 1)
    assert corrected.cause.event_id == applied.cause.event_id
    assert corrected.cause.occurred_at == WEDNESDAY
    assert [(change.before, change.after) for change in corrected.changes] == [(40, 61)]
    assert customer.balance() == Balance(issued=61, available=61)
    assert len(customer.reaches("gold", since=WEDNESDAY - timedelta(minutes=30))) == 1
    assert taken(customer.returns(sale, *whole(line(4090)))) == 61


def test_C18_corrections_go_upwards_only_and_not_before_the_change() -> None:
    customer = Customer()
    customer.reaches("gold", since=WEDNESDAY - timedelta(days=9))
    customer.buys(line(1000))

    assert len(customer.reaches(None, since=WEDNESDAY - timedelta(days=1))) == 1
    assert len(customer.reaches("gold", since=WEDNESDAY + timedelta(days=1))) == 1
    assert customer.balance().available == 15


def test_C15_a_tier_that_ends_counts_before_its_boundary_and_not_from_it_on() -> None:
    customer, boundary = Customer(), WEDNESDAY + timedelta(days=1)
    customer.reaches("gold", since=WEDNESDAY - timedelta(days=9))
    customer.buys(line(1000), at=boundary + timedelta(hours=1))
    assert customer.balance().available == 15

    # What was earned between the boundary and its evaluation stays.
    assert len(customer.falls_to("silver", since=boundary)) == 1
    assert customer.balance().available == 15
    customer.buys(line(1000), at=boundary, clock=boundary + timedelta(hours=7))
    assert customer.balance().available == 25
    customer.buys(line(1000), at=boundary - timedelta(seconds=1), clock=boundary + timedelta(hours=7))
    assert customer.balance().available == 40


def test_C15_the_end_of_a_tier_gives_nothing_to_who_reached_it_again_before_it_was_told() -> None:
    for_silver = Rule("for-silver", PER_YUAN, When(tiers=frozenset({"silver"})))
    customer, boundary = Customer(programme(BASE, for_silver)), WEDNESDAY - timedelta(days=4)
    customer.reaches("gold", since=boundary - timedelta(days=9))
    customer.buys(line(1000))
    customer.now += timedelta(hours=2)

    customer.falls_to("silver", since=boundary)
    customer.reaches("gold", since=boundary + timedelta(days=1))

    assert customer.balance() == Balance(issued=15, available=15)


def test_C17_a_tier_that_is_restored_corrects_what_was_bought_since_the_boundary() -> None:
    customer, boundary = Customer(), WEDNESDAY
    customer.reaches("gold", since=boundary - timedelta(days=9))
    customer.falls_to("silver", since=boundary)
    customer.buys(line(1000), at=boundary + timedelta(hours=9))

    _, corrected = customer.reaches("gold", since=boundary)

    assert isinstance(corrected, PointsCorrected)
    assert customer.balance().available == 15


def test_C18_what_came_back_is_not_corrected() -> None:
    customer = Customer()
    sale = customer.buys(line(1000, number=1), line(3000, number=2))
    customer.returns(sale, back(2, 3000))

    customer.reaches("gold", since=WEDNESDAY - timedelta(hours=1))

    assert customer.balance() == Balance(issued=45, available=15, reversed=30)


def test_C18_a_correction_keeps_to_what_is_left_of_the_cap() -> None:
    capped = Rule("base", PER_YUAN, tier_factor={"gold": Fraction(2)}, cap=Cap(100, "day"))
    customer = Customer(programme(capped))
    customer.buys(line(4000))
    customer.buys(line(5000))

    customer.reaches("gold", since=WEDNESDAY - timedelta(hours=1))

    assert customer.balance().available == 100
    assert customer.state.caps == {"base": {"2026-03-11": 100}}
