"""Points that paid for what comes back: given back pro rata, spent again when the return is voided."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from services.ledger.domain.commands import ForReward
from services.ledger.domain.expiry import Duration
from services.ledger.domain.facts import (
    PointsExpired,
    PointsRestored,
    PointsSpentAgain,
)
from services.ledger.domain.moves import Bucket
from services.ledger.domain.refusals import RedemptionAlreadyCancelled
from services.ledger.domain.rules import Clawback
from services.ledger.domain.state import Balance
from tests.unit.ledger.builders import line, local
from tests.unit.ledger.customers import Customer, back, paid, spend, whole
from tests.unit.ledger.paying import TWO_LINES, given_back, of_type, rules, with_points


def test_a_return_of_everything_gives_back_everything_that_points_paid() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))

    returned = customer.returns(sale, *whole(*TWO_LINES), tenders=paid({redemption: 8000}, 10_000))

    assert customer.balance() == Balance(issued=120, available=100, reversed=20)
    (restored,) = of_type(PointsRestored, customer.stream)
    assert (restored.given_back, restored.original_id) == ((("points", 80),), sale)
    assert (restored.cause.event_id, restored.cause.part) == (returned.cause.event_id, 1)
    assert returned.review is None
    assert customer.books_are_in_order()


@pytest.mark.parametrize("order", list(permutations(((1, 3500), (2, 2500), (1, 2500), (2, 1500)))))
def test_C12_parts_give_back_the_same_in_any_order_and_never_more_than_their_share(
    order: Sequence[tuple[int, int]],
) -> None:
    customer = with_points(100)
    redemption = spend(customer, 77)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 3333}, 10_000))

    came = 0
    for of_line, net in order:
        customer.returns(sale, back(of_line, net, quantity="0"))
        came += net
        assert given_back(customer.stream, redemption) == 77 * came // 10_000

    assert (given_back(customer.stream, redemption), customer.balance().spent) == (77, 0)
    assert customer.books_are_in_order()


def test_a_void_of_the_sale_gives_back_what_returns_have_left() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))
    customer.returns(sale, back(1, 6000))

    customer.voids(sale)

    assert [fact.given_back for fact in of_type(PointsRestored, customer.stream)] == [
        (("points", 48),),
        (("points", 32),),
    ]
    assert customer.balance() == Balance(issued=120, available=100, reversed=20)


def test_a_void_of_a_return_spends_its_points_again() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))
    before = customer.state
    first = customer.returns(sale, back(1, 6000))
    customer.returns(sale, back(2, 4000))

    customer.voids(first.cause.event_id)

    (again,) = of_type(PointsSpentAgain, customer.stream)
    assert (again.spent, again.waived, again.return_id) == ((("points", 48),), (), first.cause.event_id)
    assert (again.redemption_id, again.original_id, again.cause.part) == (redemption, sale, 1)
    assert (given_back(customer.stream, redemption), customer.balance().spent) == (32, 48)
    assert set(customer.state.lots) == set(before.lots)
    assert customer.books_are_in_order()


@pytest.mark.parametrize(
    ("policy", "balance", "waived"),
    [
        pytest.param("debt", Balance(issued=120, spent=170, debt=50), 0, id="debt"),
        pytest.param("within_balance", Balance(issued=120, spent=120), 50, id="within_balance"),
        pytest.param("pending_only", Balance(issued=120, spent=90, available=30), 80, id="pending_only"),
    ],
)
def test_C14_what_was_spent_meanwhile_is_owed_or_waived_as_the_unit_says(
    policy: Clawback, balance: Balance, waived: int
) -> None:
    customer = with_points(100, rules(policy))
    redemption = spend(customer, 80)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 8000}, 10_000))
    returned = customer.returns(sale, *whole(line(10_000)))
    spend(customer, 90)

    customer.voids(returned.cause.event_id)

    (again,) = of_type(PointsSpentAgain, customer.stream)
    assert sum(each.points for each in again.waived) == waived
    assert sum(points for _, points in again.spent) == 80 - waived
    assert customer.balance()._replace(reversed=0) == balance
    assert customer.books_are_in_order()
    # What was waived is still given back: it does not come a second time.
    customer.returns(sale, *whole(line(10_000)))
    assert given_back(customer.stream, redemption) == 80


def test_C14_a_debt_from_before_is_repaid_by_what_comes_back_and_comes_again_with_the_void() -> None:
    customer = Customer(rules())
    first = customer.buys(line(10_000))
    redemption = spend(customer, 100)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 10_000}, 10_000))
    customer.returns(first, *whole(line(10_000)))
    assert customer.balance().debt == 100

    returned = customer.returns(sale, *whole(line(10_000)))

    (restored,) = of_type(PointsRestored, customer.stream)
    assert [(move.source, move.target, move.points) for move in restored.moves] == [
        (Bucket.SPENT, Bucket.AVAILABLE, 100),
        (Bucket.AVAILABLE, Bucket.DEBT, 100),
    ]
    assert customer.balance() == Balance(issued=100, reversed=100)
    customer.voids(returned.cause.event_id)
    assert customer.balance() == Balance(issued=100, debt=100, spent=100, reversed=100)


def test_points_come_back_before_the_return_takes_its_own() -> None:
    customer = with_points(100, rules("within_balance"))
    redemption = spend(customer, 80)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 5000}, 10_000))
    spend(customer, 70)
    assert customer.balance().available == 0

    returned = customer.returns(sale, *whole(line(10_000)))

    assert returned.waived == ()
    assert customer.balance() == Balance(issued=150, available=30, spent=70, reversed=50)


def test_C11_what_comes_back_after_its_lots_end_expires_at_once() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 10_000}, 10_000))
    customer.now = local(2027, 5, 1)

    returned = customer.returns(sale, *whole(line(10_000)))

    assert [(fact.TYPE, fact.cause.part) for fact in customer.stream[-4:]] == [
        ("points_expired", 1),
        ("points_restored", 2),
        ("points_expired", 3),
        ("return_recorded", 0),
    ]
    assert of_type(PointsExpired, customer.stream)[-1].cause.occurred_at == local(2027, 4, 1)
    assert customer.balance() == Balance(issued=100, expired=100)
    customer.voids(returned.cause.event_id)
    assert customer.balance() == Balance(issued=100, expired=20, spent=80)
    assert customer.books_are_in_order()


@pytest.mark.parametrize("gives_back", ["returns", "cancels"])
def test_C11_a_debt_for_points_spent_again_is_repaid_also_when_their_lot_has_ended(gives_back: str) -> None:
    customer = with_points(100)
    redemption = spend(customer, 100)
    sale = customer.buys(line(10_000), tenders=paid({redemption: 10_000}, 10_000))
    returned = customer.returns(sale, *whole(line(10_000)))
    spend(customer, 100)
    customer.voids(returned.cause.event_id)
    assert customer.balance() == Balance(issued=100, spent=200, debt=100)
    customer.now = local(2027, 5, 1)

    if gives_back == "returns":
        customer.returns(sale, *whole(line(10_000)))
    else:
        customer.cancels(redemption)

    assert customer.balance() == Balance(issued=100, spent=100)
    assert customer.books_are_in_order()


def test_what_one_void_has_waived_no_later_void_takes() -> None:
    customer = with_points(80, rules("within_balance"))
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))
    first = customer.returns(sale, back(1, 6000))
    second = customer.returns(sale, back(2, 4000))
    other = spend(customer, customer.balance().available)
    customer.voids(first.cause.event_id)
    customer.cancels(other)

    customer.voids(second.cause.event_id)

    (waiving, later) = of_type(PointsSpentAgain, customer.stream)
    assert (waiving.spent, [each.points for each in waiving.waived]) == ((("points", 12),), [36])
    assert (later.spent, later.waived) == ((("points", 32),), ())
    assert (given_back(customer.stream, redemption), customer.balance().spent) == (36, 44)
    assert customer.books_are_in_order()


def test_C11_a_programme_may_let_what_comes_back_be_used_for_a_while() -> None:
    customer = with_points(100, rules(restored_for=Duration(days=30)))
    first, second = spend(customer, 40), spend(customer, 40)
    sale = customer.buys(line(10_000), tenders=paid({first: 4000, second: 4000}, 10_000))
    customer.now = local(2027, 3, 15, 12)

    customer.cancels(first)
    returned = customer.returns(sale, *whole(line(10_000)))

    left = {lot.expires_at: lot.available for lot in customer.state.lots.values()}
    assert left == {local(2027, 4, 1): 20, local(2027, 4, 15): 80}
    assert customer.books_are_in_order()
    customer.voids(returned.cause.event_id)
    assert customer.balance() == Balance(issued=120, available=80, spent=40)


def test_cancelling_after_a_return_gives_back_only_the_rest() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))
    customer.returns(sale, back(1, 6000))

    assert dict(customer.cancels(redemption).given_back) == {"points": 32}

    customer.returns(sale, back(2, 4000))
    assert (given_back(customer.stream, redemption), customer.balance().spent) == (48, 0)
    with pytest.raises(RedemptionAlreadyCancelled):
        customer.cancels(redemption)


def test_a_return_after_cancelling_gives_nothing_back_and_its_void_takes_nothing() -> None:
    customer = with_points(100)
    redemption = spend(customer, 80)
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 8000}, 10_000))
    customer.cancels(redemption)

    returned = customer.returns(sale, back(1, 6000))
    customer.voids(returned.cause.event_id)

    assert (returned.review, given_back(customer.stream, redemption)) == (None, 0)
    assert customer.balance() == Balance(issued=120, available=120)


def test_a_redemption_cancelled_twice_frees_its_reward_once() -> None:
    customer = with_points(100)
    redemption = customer.redeems(ForReward("mug"), "mug")
    sale = customer.buys(*TWO_LINES, tenders=paid({redemption: 1000}, 10_000))
    returned = customer.returns(sale, back(1, 6000))
    first = customer.cancels(redemption)
    customer.voids(returned.cause.event_id)
    assert customer.balance().spent == 30

    second = customer.cancels(redemption)

    assert (first.frees_stock, first.frees_allowance) == (True, True)
    assert (second.given_back, second.frees_stock, second.frees_allowance) == ((("points", 30),), False, False)
    assert customer.state.rewards == {"mug": 0}
