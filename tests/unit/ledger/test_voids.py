"""Voids: of sales, which take everything, and of returns, which give it back."""

from datetime import timedelta
from fractions import Fraction

from services.ledger.domain.facts import PointsExpired, ReturnRecorded, ReturnVoided
from services.ledger.domain.rules import Basis, Cap, Earn, Rule
from services.ledger.domain.state import Balance
from tests.unit.ledger.builders import BASE, WEDNESDAY, line, local, programme
from tests.unit.ledger.customers import Customer, back, spend, taken, whole

PER_YUAN = Earn("points", Fraction(1), Basis.AMOUNT, 100)


def test_a_void_of_a_sale_takes_everything_visit_points_too() -> None:
    customer = Customer(programme(BASE, Rule("visit", Earn("points", Fraction(5), Basis.VISIT))))
    sale = customer.buys(line(1000))
    assert customer.balance().available == 15

    recorded = customer.voids(sale)

    assert isinstance(recorded, ReturnRecorded)
    assert (recorded.kind, taken(recorded), recorded.review) == ("void", 15, None)
    assert customer.balance() == Balance(issued=15, reversed=15)


def test_a_void_of_a_return_gives_back_what_it_took() -> None:
    customer = Customer()
    sale = customer.buys(line(4000, number=1), line(6000, number=2))
    before = customer.state
    first = customer.returns(sale, back(1, 4000))
    customer.returns(sale, back(2, 6000))

    voided = customer.voids(first.cause.event_id)

    assert isinstance(voided, ReturnVoided)
    assert (voided.return_id, voided.original_id) == (first.cause.event_id, sale)
    assert customer.balance() == Balance(issued=100, available=40, reversed=60)
    assert [(back.line, back.net) for back in voided.brought_back] == [(2, 6000)]
    assert set(customer.state.lots) == set(before.lots)


def test_a_void_of_a_return_forgives_its_debt_and_comes_once() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    spend(customer, 80)
    returned = customer.returns(sale, *whole(line(10_000)))

    customer.voids(returned.cause.event_id)
    again = customer.voids(returned.cause.event_id)

    assert customer.balance() == Balance(issued=100, available=20, spent=80)
    assert (again.moves, again.review) == ((), "already_voided")


def test_a_void_of_a_return_whose_debt_was_repaid_gives_the_points() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    spend(customer, 80)
    returned = customer.returns(sale, *whole(line(10_000)))
    customer.buys(line(5000))

    customer.voids(returned.cause.event_id)

    assert customer.balance() == Balance(issued=150, available=70, spent=80)


def test_a_void_of_a_return_after_the_lots_end_gives_back_what_expires_at_once() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    returned = customer.returns(sale, *whole(line(10_000)))
    customer.now = local(2027, 5, 1)

    customer.voids(returned.cause.event_id)

    assert customer.balance() == Balance(issued=100, expired=100)
    assert isinstance(customer.stream[-1], PointsExpired)
    assert customer.books_are_in_order()


def test_a_void_of_a_return_gives_more_where_the_tier_was_heard_of_meanwhile() -> None:
    customer = Customer()
    sale = customer.buys(line(3000, number=1), line(1000, number=2))
    returned = customer.returns(sale, back(1, 3000))
    customer.reaches("gold", since=WEDNESDAY - timedelta(hours=1))

    customer.voids(returned.cause.event_id)

    assert customer.balance() == Balance(issued=60, available=60)


def test_a_void_of_a_return_does_not_lift_a_cap_that_others_have_used() -> None:
    customer = Customer(programme(Rule("bonus", PER_YUAN, cap=Cap(100, "day"))))
    sale = customer.buys(line(8000))
    returned = customer.returns(sale, *whole(line(8000)))
    customer.buys(line(10_000))

    customer.voids(returned.cause.event_id)

    assert customer.balance().available == 100


def test_a_return_after_a_void_takes_nothing_and_is_flagged() -> None:
    customer = Customer()
    sale = customer.buys(line(1000))
    customer.voids(sale)

    assert customer.returns(sale, *whole(line(1000))).review == "more_than_sold"
    assert customer.voids(sale).review == "already_voided"
    assert customer.balance() == Balance(issued=10, reversed=10)


def test_a_return_of_a_return_does_nothing_and_is_flagged_and_so_is_its_void() -> None:
    customer = Customer()
    returned = customer.returns(customer.buys(line(1000)), *whole(line(1000)))
    balance = customer.balance()

    again = customer.brings(customer.coming_back("return", returned.cause.event_id, *whole(line(1000))))
    voided = customer.voids(again.cause.event_id)

    assert (again.review, voided.review) == ("not_a_sale", "already_voided")
    assert customer.balance() == balance
    assert customer.books_are_in_order()
