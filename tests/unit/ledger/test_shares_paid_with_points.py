"""Which part of which redemption paid for what comes back, and what a person should look at."""

import pytest

from services.ledger.domain.commands import AsMoney
from services.ledger.domain.facts import (
    PointsRestored,
    Tender,
)
from services.ledger.domain.ids import event_id_of
from services.ledger.domain.state import Balance
from tests.unit.ledger.builders import BASE, line, local, programme
from tests.unit.ledger.customers import Customer, back, paid, spend, whole
from tests.unit.ledger.paying import TWO_LINES, given_back, of_type, with_points


def test_a_redemption_that_paid_two_sales_is_shared_by_their_tenders() -> None:
    customer = with_points(100)
    redemption = spend(customer, 81)
    first = customer.buys(line(3000), tenders=paid({redemption: 3000}, 3000))
    second = customer.buys(line(6000), tenders=paid({redemption: 1000}, 6000))

    customer.voids(first)
    assert given_back(customer.stream, redemption) == 60

    customer.voids(second)
    assert given_back(customer.stream, redemption) == 81


def test_a_second_sale_that_names_what_has_come_back_gets_nothing_more() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    customer.voids(customer.buys(line(3000), tenders=paid({redemption: 3000}, 3000)))
    customer.voids(customer.buys(line(3000), tenders=paid({redemption: 3000}, 3000)))

    assert (given_back(customer.stream, redemption), customer.balance().spent) == (80, 0)
    assert customer.books_are_in_order()


def test_points_as_money_come_back_for_the_money_that_a_sale_was_paid_with() -> None:
    customer = with_points(100)
    redemption = customer.redeems(AsMoney("cash", 1000, 9000), "cash")
    sale = customer.buys(line(4000), tenders=paid({redemption: 400}, 4000))

    customer.voids(sale)

    assert given_back(customer.stream, redemption) == 40
    assert dict(customer.cancels(redemption).given_back) == {"points": 60}


def test_two_redemptions_of_one_sale_come_back_each_in_its_share() -> None:
    customer = with_points(100)
    first, second = spend(customer, 50), spend(customer, 33)
    sale = customer.buys(*TWO_LINES, tenders=paid({first: 5000, second: 2000}, 10_000))

    customer.returns(sale, back(2, 4000))

    assert (given_back(customer.stream, first), given_back(customer.stream, second)) == (20, 13)
    assert [fact.cause.part for fact in of_type(PointsRestored, customer.stream)] == [1, 2]


def test_a_reward_sold_for_nothing_comes_back_with_the_last_line() -> None:
    customer = with_points(100)
    redemption = spend(customer, 50)
    sold = (line(1450, number=1), line(0, number=2))
    sale = customer.buys(*sold, tenders=paid({redemption: 0}, 1450))

    customer.returns(sale, back(1, 1450))
    assert given_back(customer.stream, redemption) == 0

    customer.returns(sale, back(2, 0))
    assert given_back(customer.stream, redemption) == 50


def test_what_was_spent_last_comes_back_first() -> None:
    customer = with_points(100)
    customer.buys(line(5000), at=local(2026, 6, 1))
    redemption = spend(customer, 120)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))

    customer.returns(sale, back(2, 4000))

    (restored,) = of_type(PointsRestored, customer.stream)
    assert [(move.lot[:17], move.points) for move in restored.moves] == [
        ("points@2027-06-30", 20),
        ("points@2027-03-31", 28),
    ]


@pytest.mark.parametrize("reference", [None, event_id_of("somebody", "else"), "R-0043"])
def test_points_that_name_no_redemption_of_the_member_give_nothing_back_and_are_flagged(reference: str | None) -> None:
    customer = with_points(100)
    spend(customer, 80)
    sale = customer.buys(line(10_000), tenders=(Tender("points", 8000, reference), Tender("card", 2000)))

    returned = customer.returns(sale, *whole(line(10_000)))

    assert returned.review == "unknown_redemption"
    assert of_type(PointsRestored, customer.stream) == []
    assert customer.balance() == Balance(issued=120, available=20, spent=80, reversed=20)


def test_one_redemption_that_is_unknown_does_not_keep_the_other_from_coming_back() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    tenders = (Tender("points", 4000, "lost"), *paid({redemption: 4000}, 6000))
    sale = customer.buys(line(10_000), tenders=tenders)

    returned = customer.voids(sale)

    assert (returned.review, given_back(customer.stream, redemption)) == ("unknown_redemption", 80)


def test_a_till_that_pays_back_the_points_in_money_too_is_flagged() -> None:
    customer = with_points(100)
    redemption = spend(customer, 50)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 5000}, 10_000))

    first = customer.returns(sale, back(2, 4000), tenders=(Tender("card", 4000),))
    second = customer.returns(sale, back(1, 6000), tenders=(Tender("card", 6000),))

    assert (first.review, second.review) == (None, "more_money_than_paid")
    assert given_back(customer.stream, redemption) == 50


def test_what_does_not_fit_the_sale_gives_nothing_back() -> None:
    customer = with_points(100)
    redemption = spend(customer, 50)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 5000}, 10_000))

    unknown = customer.returns(sale, back(9, 10_000))
    foreign = customer.returns(sale, *whole(line(10_000)), currency="USD")

    assert (unknown.review, foreign.review) == ("unknown_line", "other_currency")
    assert given_back(customer.stream, redemption) == 0


def test_a_sale_voided_twice_gives_back_once() -> None:
    customer = with_points(100)
    redemption = spend(customer, 50)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 5000}, 10_000))

    customer.voids(sale)
    again = customer.voids(sale)

    assert (again.review, given_back(customer.stream, redemption)) == ("already_voided", 50)


def test_a_sale_from_before_the_first_version_gives_its_points_back() -> None:
    customer = Customer(programme(BASE, starts_at=local(2026, 6, 1)))
    customer.buys(line(10_000), at=local(2026, 6, 2))
    redemption = spend(customer, 80)
    sale = customer.buys(
        line(10_000), at=local(2026, 5, 1), clock=customer.now, tenders=paid({redemption: 8000}, 10_000)
    )

    returned = customer.returns(sale, *whole(line(10_000)))
    customer.voids(returned.cause.event_id)

    assert returned.programme_version == 0
    assert customer.balance() == Balance(issued=100, available=20, spent=80)
