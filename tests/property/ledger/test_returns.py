"""However a sale comes back, in parts and in any order, it keeps what the rest of it would have earned."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.ledger.adapters.canonical import decode, encode
from services.ledger.domain.decide import decide
from services.ledger.domain.evidence import Award, ReturnedLine
from services.ledger.domain.facts import Line, ReturnRecorded, Tender
from services.ledger.domain.ids import EventId
from services.ledger.domain.rules import Basis, Cap, Earn, Rule, Rules, When
from services.ledger.domain.state import Balance, new_account
from tests.unit.ledger.builders import BASE, COFFEE_DOUBLE, MEMBER, WEDNESDAY, line, programme, purchase, recorded
from tests.unit.ledger.customers import Customer, spend, taken

HALF = Fraction(1, 2)
RULES: Rules = programme(
    BASE,
    COFFEE_DOUBLE,
    Rule("per-ten", Earn("points", Fraction(1), Basis.AMOUNT, 1000), best_of="more"),
    Rule("fixed", Earn("points", Fraction(7)), When(categories=("drinks",)), best_of="more"),
    Rule("bonus", Earn("points", Fraction(50)), When(minimum_minor=10_000)),
    Rule("pieces", Earn("points", Fraction(3), Basis.ITEM, rounding="up"), When(categories=("food",))),
    Rule("by-line", Earn("points", HALF, Basis.AMOUNT, 100, "half_up", "line"), cap=Cap(60, "day")),
    Rule("visit", Earn("points", Fraction(5), Basis.VISIT)),
)

categories = st.sampled_from(["drinks/coffee", "drinks/tea", "food", "gift-card"])
baskets = st.lists(st.tuples(st.integers(0, 8000), st.integers(1, 4), categories), min_size=1, max_size=5).map(
    lambda drawn: tuple(
        line(net, number=number, category=category, quantity=str(quantity))
        for number, (net, quantity, category) in enumerate(drawn, start=1)
    )
)
shares = st.sampled_from([0, 0, 25, 50])


@st.composite
def parts(draw: st.DrawFn, sold: tuple[Line, ...]) -> list[tuple[ReturnedLine, ...]]:
    """What comes back, once cut into lines and amounts, dealt out to returns in any order."""
    pieces: list[ReturnedLine] = []
    for each in sold:
        cuts = draw(st.lists(st.integers(0, each.net), max_size=2).map(sorted))
        numbers = draw(st.lists(st.integers(0, int(each.quantity)), min_size=len(cuts), max_size=len(cuts)).map(sorted))
        for (start, end), (few, many) in zip(
            zip([0, *cuts], cuts, strict=False), zip([0, *numbers], numbers, strict=False), strict=True
        ):
            pieces.append(ReturnedLine(len(pieces) + 1, each.line, each.sku, str(many - few), end - start, 0))
    dealt: list[list[ReturnedLine]] = [[], [], []]
    for piece in draw(st.permutations(pieces)):
        dealt[draw(st.integers(0, 2))].append(piece)
    return [tuple(each) for each in dealt]


def what_is_left(sold: tuple[Line, ...], returned: list[ReturnedLine]) -> tuple[Line, ...]:
    """By plain subtraction, line by line."""
    left = []
    for each in sold:
        back = [piece for piece in returned if piece.of_line == each.line]
        net = each.net - sum(piece.net for piece in back)
        quantity = int(each.quantity) - sum(int(piece.quantity) for piece in back)
        if net or (not each.net and quantity):
            left.append(Line(each.line, each.sku, each.category, str(quantity), net, 0))
    return tuple(left)


def earned_by(lines: tuple[Line, ...], rules: Rules) -> int:
    if not lines:
        return 0
    (fact,) = decide(new_account(MEMBER), purchase(*lines), (rules,))
    awards: tuple[Award, ...] = recorded((fact,)).awards
    return sum(award.points for award in awards)


@given(st.data(), baskets)
def test_C12_any_split_in_any_order_takes_what_the_rest_does_not_earn(
    data: st.DataObject, sold: tuple[Line, ...]
) -> None:
    customer = Customer(RULES)
    sale = customer.buys(*sold)
    issued = customer.balance().issued
    returns = data.draw(parts(sold))

    facts = [customer.returns(sale, *lines) for lines in returns if lines]

    left = what_is_left(sold, [piece for lines in returns for piece in lines])
    assert sum(taken(fact) for fact in facts) == issued - earned_by(left, RULES)
    assert customer.balance() == Balance(
        issued, available=earned_by(left, RULES), reversed=issued - customer.balance().available
    )
    assert all(fact.review is None for fact in facts)
    assert customer.books_are_in_order()


@given(st.data(), baskets, st.integers(0, 300), st.integers(0, 3))
def test_returns_and_their_voids_leave_what_the_returns_that_stand_leave(
    data: st.DataObject, sold: tuple[Line, ...], spent: int, voided: int
) -> None:
    rules = programme(BASE, COFFEE_DOUBLE)
    customer, plain = Customer(rules), Customer(rules)
    sale = customer.buys(*sold)
    plain.buys(*sold)
    for each in (customer, plain):
        spend(each, min(spent, each.balance().available))
    assert_voided_returns_leave_no_trace(customer, plain, sale, data.draw(parts(sold)), voided)


def assert_voided_returns_leave_no_trace(
    customer: Customer, plain: Customer, sale: EventId, drawn: Iterable[Sequence[ReturnedLine]], voided: int
) -> None:
    """Both sold the same; the one returns it all and voids the first returns, the other never had those."""
    returns = [lines for lines in drawn if lines]
    facts = [customer.returns(sale, *lines) for lines in returns]

    for fact in facts[:voided]:
        customer.voids(fact.cause.event_id)
    for lines in returns[voided:]:
        plain.returns(sale, *lines)

    assert customer.balance() == plain.balance()
    assert customer.state.lots == plain.state.lots
    assert customer.books_are_in_order()


@given(st.data(), baskets, shares)
def test_the_share_paid_with_points_stays_what_it_was(data: st.DataObject, sold: tuple[Line, ...], share: int) -> None:
    rules = programme(Rule("exact", Earn("points", Fraction(1), Basis.AMOUNT, 1)))
    customer = Customer(rules)
    total = sum(each.net for each in sold)
    points = total * share // 100
    tenders = (Tender("points", points, "r1"), Tender("card", total - points)) if points else (Tender("card", total),)
    sale = customer.buys(*sold, tenders=tenders)
    returns = data.draw(parts(sold))

    for lines in returns:
        customer.returns(sale, *lines)

    left = what_is_left(sold, [piece for lines in returns for piece in lines])
    counted = sum(each.net for each in left if each.category != "gift-card")
    assert customer.balance().available == (counted * (total - points) // total if total else 0)


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=6), st.data())
def test_with_a_carried_remainder_the_running_total_is_all_that_counts(nets: list[int], data: st.DataObject) -> None:
    rules = programme(Rule("star", Earn("points", Fraction(1), Basis.AMOUNT, 5000, carry=True)))
    customer = Customer(rules)
    sales = [(customer.buys(line(net)), net) for net in nets]
    gone = data.draw(st.permutations(sales).flatmap(lambda order: st.integers(0, len(order)).map(lambda n: order[:n])))

    for sale, net in gone:
        customer.returns(sale, ReturnedLine(1, 1, "sku-1", "1", net, 0))

    kept = sum(nets) - sum(net for _, net in gone)
    assert customer.balance().available == kept // 5000
    assert customer.state.carries.get("star/points", 0) == Fraction(kept % 5000, 5000)


@given(st.data(), baskets)
def test_facts_of_returns_are_read_back_as_they_were_written(data: st.DataObject, sold: tuple[Line, ...]) -> None:
    customer = Customer(RULES)
    sale = customer.buys(*sold)
    for lines in data.draw(parts(sold)):
        fact: ReturnRecorded = customer.returns(sale, *lines)
        customer.now += timedelta(seconds=1)
    customer.voids(fact.cause.event_id)
    customer.reaches("gold", since=WEDNESDAY)

    for number, written in enumerate(customer.stream, start=1):
        assert decode(encode(MEMBER, number, written)) == (MEMBER, number, written)
