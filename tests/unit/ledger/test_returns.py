"""What a return takes, from where, and what does not fit its sale."""

from fractions import Fraction

import pytest

from services.ledger.domain.evidence import ReturnedLine
from services.ledger.domain.expiry import Duration, Validity
from services.ledger.domain.facts import PurchaseRecorded, Tender
from services.ledger.domain.ids import event_id_of
from services.ledger.domain.moves import Bucket
from services.ledger.domain.returns import OriginalMissingError
from services.ledger.domain.rules import Basis, Clawback, Earn, Pending, Rule, Rules, Unit
from services.ledger.domain.state import Balance
from tests.unit.ledger.builders import BASE, line, local, programme
from tests.unit.ledger.customers import Customer, back, spend, taken, whole

PER_YUAN = Earn("points", Fraction(1), Basis.AMOUNT, 100)


def with_policy(policy: Clawback, *rules: Rule) -> Rules:
    return programme(*(rules or (BASE,)), units={"points": Unit("points", on_clawback=policy)})


def test_other_lots_are_taken_soonest_expiry_first_before_there_is_debt() -> None:
    customer = Customer()
    sale = customer.buys(line(10_000))
    spend(customer, 100)
    customer.buys(line(3000), at=local(2026, 6, 1))
    customer.buys(line(3000), at=local(2026, 5, 1), clock=customer.now)

    recorded = customer.returns(sale, *whole(line(10_000)))

    lots = [move.lot[:17] for move in recorded.moves]
    assert lots == ["points@2027-05-31", "points@2027-06-30", "points@2027-03-31"]
    assert [move.source for move in recorded.moves] == [Bucket.AVAILABLE, Bucket.AVAILABLE, Bucket.DEBT]
    assert customer.balance().debt == 40


def test_pending_points_of_the_purchase_are_taken_first_and_those_of_others_are_left() -> None:
    pending = Rule("later", Earn("points", Fraction(1), Basis.AMOUNT, 100), pending=Pending(Duration(days=14)))
    customer = Customer(with_policy("pending_only", BASE, pending))
    sale = customer.buys(line(1000))
    customer.buys(line(2000), at=local(2026, 3, 12))

    recorded = customer.returns(sale, *whole(line(1000)))

    assert [(move.source, move.points) for move in recorded.moves] == [(Bucket.PENDING, 10)]
    assert customer.balance() == Balance(issued=60, pending=20, available=30, reversed=10)


def test_what_is_pending_for_other_purchases_repays_the_debt_only_when_it_is_there() -> None:
    pending = Rule("later", Earn("points", Fraction(1), Basis.AMOUNT, 100), pending=Pending(Duration(days=14)))
    customer = Customer(with_policy("debt", pending))
    sale = customer.buys(line(1000))
    customer.waits(local(2026, 3, 26))
    spend(customer, 10)
    customer.buys(line(3000))

    recorded = customer.returns(sale, *whole(line(1000)))

    assert [(move.source, move.points) for move in recorded.moves] == [(Bucket.DEBT, 10)]
    assert customer.balance() == Balance(issued=40, debt=10, pending=30, spent=10, reversed=10)
    customer.waits(local(2026, 4, 10))
    assert customer.balance() == Balance(issued=40, available=20, spent=10, reversed=10)


def test_a_sale_of_which_everything_came_back_keeps_no_visit_points() -> None:
    customer = Customer(programme(BASE, Rule("visit", Earn("points", Fraction(5), Basis.VISIT))))
    sale = customer.buys(line(1000, number=1), line(0, number=2))

    assert taken(customer.returns(sale, back(1, 1000))) == 10
    assert taken(customer.returns(sale, back(2, 0))) == 5


@pytest.mark.parametrize(
    ("lines", "review"),
    [
        pytest.param([back(1, 1500)], "more_than_sold", id="more money"),
        pytest.param([back(1, 1000, quantity="2")], "more_than_sold", id="more pieces"),
        pytest.param([back(9, 1000)], "unknown_line", id="a line that was not sold"),
        pytest.param([back(None, 1000, sku="other", number=7)], "unknown_line", id="a product that was not sold"),
        pytest.param([back(None, 1000, number=7)], None, id="a product by its sku"),
    ],
)
def test_what_does_not_fit_the_sale_is_clamped_and_flagged(lines: list[ReturnedLine], review: str | None) -> None:
    customer = Customer()
    sale = customer.buys(line(1000))

    recorded = customer.returns(sale, *lines)

    assert recorded.review == review
    assert customer.balance().reversed == (0 if review == "unknown_line" else 10)
    assert customer.books_are_in_order()


def test_a_return_in_another_currency_takes_nothing_and_is_flagged() -> None:
    customer = Customer()
    sale = customer.buys(line(1000))

    recorded = customer.returns(sale, *whole(line(1000)), currency="USD")

    assert (recorded.review, recorded.moves, recorded.lines) == ("other_currency", (), ())


def test_pieces_of_one_product_on_several_lines_come_back_one_after_another() -> None:
    latte = line(2000, number=1, quantity="1")._replace(sku="latte")
    customer = Customer()
    sale = customer.buys(latte, latte._replace(line=2))

    first = customer.returns(sale, back(None, 3000, quantity="1.5", number=9, sku="latte"))
    second = customer.returns(sale, back(None, 1000, quantity="0.5", number=9, sku="latte"))

    assert [(each.line, each.quantity, each.net) for each in first.brought_back] == [(1, "1", 2000), (2, "0.5", 1000)]
    assert (taken(first), taken(second), second.review) == (30, 10, None)


def test_tax_that_the_till_leaves_out_comes_back_in_the_share_of_the_net() -> None:
    customer = Customer(programme(BASE, tax_counts=False))
    sale = customer.buys(line(10_000, tax=1000))
    assert customer.balance().available == 90

    first = customer.returns(sale, back(1, 9900))

    assert (taken(first), first.brought_back[0].tax) == (90, 990)
    assert customer.balance().available == 0


def test_the_part_paid_with_points_is_not_taken_for_it_earned_nothing() -> None:
    customer = Customer()
    sale = customer.buys(
        line(6000, number=1), line(4000, number=2), tenders=(Tender("points", 5000, "r1"), Tender("card", 5000))
    )
    assert customer.balance().available == 50

    assert taken(customer.returns(sale, back(2, 4000))) == 20
    assert taken(customer.returns(sale, back(1, 6000))) == 30


def test_with_a_carried_remainder_a_return_takes_what_the_running_total_loses() -> None:
    customer = Customer(programme(Rule("star", Earn("points", Fraction(1), Basis.AMOUNT, 5000, carry=True))))
    first, second = customer.buys(line(3000)), customer.buys(line(3000))
    assert (customer.balance().available, customer.state.carries) == (1, {"star/points": Fraction(1, 5)})

    assert taken(customer.returns(first, *whole(line(3000)))) == 1
    assert customer.state.carries == {"star/points": Fraction(3, 5)}
    assert taken(customer.returns(second, *whole(line(3000)))) == 0
    assert customer.state.carries == {}
    assert customer.balance() == Balance(issued=1, reversed=1)


def test_a_best_of_group_falls_back_to_its_second_best() -> None:
    fixed = Rule("fixed", Earn("points", Fraction(30)), best_of="b")
    by_amount = Rule("amount", PER_YUAN, best_of="b")
    customer = Customer(programme(fixed, by_amount))
    sale = customer.buys(line(3000, number=1), line(2000, number=2))
    assert customer.balance().available == 50

    recorded = customer.returns(sale, back(1, 3000))

    assert {change.rule: (change.before, change.after) for change in recorded.changes} == {
        "amount": (50, 0),
        "fixed": (0, 30),
    }
    assert customer.balance() == Balance(issued=50, available=30, reversed=20)
    customer.voids(recorded.cause.event_id)
    assert customer.balance() == Balance(issued=50, available=50)


def test_a_sale_from_before_the_first_version_has_nothing_to_take() -> None:
    customer = Customer(programme(BASE, starts_at=local(2026, 6, 1)))
    sale = customer.buys(line(1000))

    recorded = customer.returns(sale, *whole(line(1000)))

    assert (recorded.programme_version, recorded.moves, recorded.changes) == (0, (), ())


def test_a_return_without_its_original_is_a_fault() -> None:
    with pytest.raises(OriginalMissingError):
        Customer().returns(event_id_of("sale", "nowhere"), back(1, 1000))


def test_points_of_a_unit_that_lasts_for_ever_are_taken_too() -> None:
    growth = Rule("growth", Earn("growth", Fraction(1), Basis.AMOUNT, 100))
    customer = Customer(programme(growth, units={"growth": Unit("growth", Validity(), qualifying=True)}))
    sale = customer.buys(line(1000))

    customer.returns(sale, *whole(line(1000)))

    assert customer.balance("growth") == Balance(issued=10, reversed=10)


def test_the_number_of_a_visit_is_never_given_twice_whatever_comes_back() -> None:
    customer = Customer()
    returned = customer.voids(customer.buys(line(1000)))
    customer.voids(returned.cause.event_id)
    customer.voids(customer.buys(line(1000)))
    customer.buys(line(1000))

    assert [fact.visit for fact in customer.stream if isinstance(fact, PurchaseRecorded)] == [1, 2, 3]
    assert customer.state.visits == 3
