"""However a sale that points paid comes back, its points come back in the share of what has."""

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.facts import Line
from services.ledger.domain.ids import EventId
from tests.property.ledger.test_returns import assert_voided_returns_leave_no_trace, baskets, parts, what_is_left
from tests.unit.ledger.builders import line, local
from tests.unit.ledger.customers import Customer, paid, spend
from tests.unit.ledger.paying import given_back, rules

spendings = st.integers(1, 130)
shares = st.integers(0, 4)


def with_two_lots() -> Customer:
    """80 points that last a year, and 50 that last two months longer."""
    customer = Customer(rules())
    customer.buys(line(8000))
    customer.buys(line(5000), at=local(2026, 5, 1))
    return customer


def sell(customer: Customer, sold: tuple[Line, ...], spent: int, share: int) -> tuple[EventId, EventId]:
    """The sale, and the redemption that paid so many quarters of it."""
    redemption, total = spend(customer, spent), sum(each.net for each in sold)
    return customer.buys(*sold, tenders=paid({redemption: total * share // 4}, total)), redemption


@given(st.data(), baskets, spendings, shares)
def test_C12_any_split_in_any_order_gives_back_the_share_of_what_has_come_back(
    data: st.DataObject, sold: tuple[Line, ...], spent: int, share: int
) -> None:
    customer = with_two_lots()
    sale, redemption = sell(customer, sold, spent, share)
    returned: list[ReturnedLine] = []
    for lines in data.draw(parts(sold)):
        customer.returns(sale, *lines)
        returned += lines
        left, total = what_is_left(sold, returned), sum(each.net for each in sold)
        back = total - sum(each.net for each in left)
        is_paid = total * share // 4 > 0
        expected = spent if not left else spent * back // total if is_paid else 0
        assert given_back(customer.stream, redemption) == expected

    customer.voids(sale)

    assert given_back(customer.stream, redemption) == spent
    assert customer.balance().available == 130
    assert customer.books_are_in_order()


@given(st.data(), baskets, spendings, shares, st.integers(0, 3))
def test_returns_and_their_voids_leave_the_points_where_the_returns_that_stand_leave_them(
    data: st.DataObject, sold: tuple[Line, ...], spent: int, share: int, voided: int
) -> None:
    customer, plain = with_two_lots(), with_two_lots()
    sale, _ = sell(customer, sold, spent, share)
    sell(plain, sold, spent, share)
    assert_voided_returns_leave_no_trace(customer, plain, sale, data.draw(parts(sold)), voided)
