"""Adjudication and the canonical bytes, against what exact fractions and a plain JSON writer say."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from schemas.points import POINTS_FACT
from services.ledger.adapters.canonical import decode, decode_state, encode, encode_state
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import fold
from services.ledger.domain.expiry import Duration, add
from services.ledger.domain.facts import Line, Tender
from services.ledger.domain.rules import Basis, Cap, Earn, Rounding, Rule
from services.ledger.domain.state import AccountState, new_account
from tests.unit.ledger.builders import BASE, MEMBER, SHANGHAI, P, earned, programme, purchase, recorded, tier
from tests.unit.ledger.builders import WEDNESDAY as START

ROUND = {"down": floor, "up": ceil, "half_up": lambda exact: floor(exact + Fraction(1, 2))}

categories = st.sampled_from(["gift-card", "gift-card/digital", "drinks/coffee", "food", None])
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
lines = st.lists(
    st.builds(
        Line,
        line=st.integers(1, 500),
        sku=texts,
        category=categories,
        quantity=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3})?", fullmatch=True),
        net=st.integers(0, 10**7),
        tax=st.integers(0, 10**5),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda line: line.line,
).map(tuple)
rates = st.fractions(min_value=Fraction(1, 1000), max_value=50, max_denominator=1000)
factors = st.fractions(min_value=0, max_value=5, max_denominator=100)
shares = st.fractions(min_value=0, max_value=1, max_denominator=50)
nets = st.lists(st.integers(0, 20_000), min_size=1, max_size=12)


def paid(sold: tuple[Line, ...], share: Fraction) -> tuple[Tender, ...]:
    total = sum(line.net for line in sold)
    points = floor(total * share)
    return (Tender("points", points, "r1"), Tender("card", total - points)) if points else (Tender("card", total),)


@given(lines, shares, rates, st.integers(1, 10_000), factors, st.sampled_from(["down", "up", "half_up"]))
def test_points_are_the_exact_amount_rounded_once(
    sold: tuple[Line, ...], share: Fraction, rate: Fraction, per: int, factor: Fraction, how: Rounding
) -> None:
    rules = programme(Rule("r", Earn("points", rate, Basis.AMOUNT, per, how), tier_factor={"gold": factor}))
    gold = fold(new_account(MEMBER), decide(new_account(MEMBER), tier("gold", since=START), ()))
    tenders = paid(sold, share)
    total = sum(line.net for line in sold)
    points_paid = sum(tender.amount for tender in tenders if tender.type == "points")
    counted = sum(line.net for line in sold if not (line.category or "").startswith("gift-card"))
    exact = Fraction(counted) * (1 - Fraction(points_paid, total)) if total else Fraction(0)

    facts = decide(gold, purchase(*sold, tenders=tenders), (rules,))

    assert earned(facts) == ROUND[how](exact * rate / per * factor)
    assert recorded(facts).eligible_minor == floor(exact)
    for award in recorded(facts).awards:
        assert sum(points for _, points in award.lines) == exact * rate / per * factor * award.over


@given(nets, rates, st.integers(1, 10_000))
def test_with_carry_splitting_a_sum_changes_nothing(amounts: list[int], rate: Fraction, per: int) -> None:
    rules = programme(Rule("r", Earn("points", rate, Basis.AMOUNT, per, carry=True)))
    state = new_account(MEMBER)
    for number, net in enumerate(amounts):
        state = fold(state, decide(state, purchase(Line(1, "s", None, "1", net, 0), sequence=number), (rules,)))

    given_points = state.units["points"].available if "points" in state.units else 0
    assert given_points == floor(sum(amounts) * rate / per)
    assert given_points + state.carries.get("r/points", 0) == sum(amounts) * rate / per


@given(nets, st.integers(1, 500))
def test_a_cap_is_never_exceeded_and_never_left_unused(amounts: list[int], cap: int) -> None:
    rules = programme(Rule("r", Earn("points", Fraction(1), Basis.AMOUNT, 100), cap=Cap(cap, "day")))
    state = new_account(MEMBER)
    for number, net in enumerate(amounts):
        state = fold(state, decide(state, purchase(Line(1, "s", None, "1", net, 0), sequence=number), (rules,)))

    given_points = state.units["points"].available if "points" in state.units else 0
    assert given_points == min(cap, sum(net // 100 for net in amounts))


@given(st.permutations(range(6)), st.lists(st.integers(0, 20_000), min_size=6, max_size=6))
def test_the_order_in_which_purchases_arrive_does_not_change_the_balances(order: list[int], amounts: list[int]) -> None:
    def after(sequence: list[int]) -> AccountState:
        state = new_account(MEMBER)
        for number in sequence:
            at = START + timedelta(days=40 * number)
            sale = purchase(Line(1, "s", None, "1", amounts[number], 0), sequence=number, at=at)
            facts = decide(state, sale, (P,))
            state = fold(state, facts)
        return state

    in_order, shuffled = after(sorted(order)), after(order)

    assert (shuffled.units, shuffled.lots) == (in_order.units, in_order.lots)


@given(lines, shares, texts, st.none() | texts)
def test_canonical_bytes_are_what_a_plain_json_writer_makes_and_read_back(
    sold: tuple[Line, ...], share: Fraction, name: str, partner: str | None
) -> None:
    rules = programme(BASE, Rule(name, Earn("points", Fraction(1, 7), Basis.AMOUNT, 100, carry=True)))
    facts = decide(new_account(MEMBER), purchase(*sold, tenders=paid(sold, share), partner=partner), (rules,))
    state = fold(new_account(MEMBER), facts)

    encoded = encode(MEMBER, 1, facts[0])

    plain = json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encoded == plain.encode()
    assert decode(encoded) == (MEMBER, 1, facts[0])
    assert decode_state(encode_state(state)) == state


@given(lines, shares)
def test_the_published_contract_loses_nothing(sold: tuple[Line, ...], share: Fraction) -> None:
    (fact,) = decide(new_account(MEMBER), purchase(*sold, tenders=paid(sold, share)), (P,))
    encoded = encode(MEMBER, 1, fact)

    assert json.loads(POINTS_FACT.dump_json(POINTS_FACT.validate_json(encoded))) == json.loads(encoded)


@given(st.integers(0, 800_000), st.integers(0, 60), st.integers(0, 400))
def test_a_longer_duration_never_ends_earlier(hours: int, months: int, more: int) -> None:
    at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    shorter, longer = Duration(months=months), Duration(months=months, days=more)

    assert at <= add(at, shorter, SHANGHAI) <= add(at, longer, SHANGHAI)
