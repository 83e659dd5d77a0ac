from datetime import date, time
from fractions import Fraction

import pytest

from services.ledger.domain.decide import decide
from services.ledger.domain.facts import ActivityRecorded, Tender
from services.ledger.domain.rules import Basis, Cap, Earn, Rounding, Rule, Scope, When
from services.ledger.domain.state import new_account
from tests.unit.ledger.builders import (
    BASE,
    CAKE,
    COFFEE,
    GIFT_CARD,
    MEMBER,
    WEDNESDAY,
    P,
    activity,
    by_rule,
    earned,
    given,
    line,
    local,
    programme,
    purchase,
    recorded,
    tier,
)

NEW = new_account(MEMBER)
PER_YUAN = Earn("points", Fraction(1), Basis.AMOUNT, 100)
FIFTY = Earn("points", Fraction(50))


def rounding(how: Rounding, scope: Scope = "basket") -> Rule:
    return Rule("r", Earn("points", Fraction(1), Basis.AMOUNT, 100, how, scope))


@pytest.mark.parametrize(
    ("how", "net", "points"),
    [
        ("down", 199, 1),
        ("half_up", 149, 1),
        ("half_up", 150, 2),
        ("up", 101, 2),
        ("up", 100, 1),
        ("up", 1005, 11),
    ],
)
def test_points_are_rounded_once_and_exactly(how: Rounding, net: int, points: int) -> None:
    assert earned(decide(NEW, purchase(line(net)), (programme(rounding(how)),))) == points


def test_a_basket_is_rounded_once_and_lines_each() -> None:
    lines = (line(150, number=1), line(150, number=2))

    assert earned(decide(NEW, purchase(*lines), (programme(rounding("down")),))) == 3
    assert earned(decide(NEW, purchase(*lines), (programme(rounding("down", "line")),))) == 2
    assert earned(decide(NEW, purchase(*lines), (programme(rounding("up", "line")),))) == 4


def test_what_rounding_leaves_is_carried_to_the_next_purchase() -> None:
    star = programme(Rule("star", Earn("points", Fraction(1), Basis.AMOUNT, 5000, carry=True)))
    state = given(purchase(line(6000), sequence=1), versions=(star,))

    facts = decide(state, purchase(line(4000), sequence=2), (star,))

    assert state.units["points"].available == 1
    assert state.carries == {"star/points": Fraction(1, 5)}
    assert earned(facts) == 1
    (award,) = recorded(facts).awards
    assert award.carry is not None
    assert (award.carry.before, award.carry.after) == (Fraction(1, 5), Fraction(0))


def test_an_amount_too_small_to_give_a_point_is_still_carried() -> None:
    star = programme(Rule("star", Earn("points", Fraction(1), Basis.AMOUNT, 5000, carry=True)))
    state = given(purchase(line(4999), sequence=1), versions=(star,))

    assert earned(decide(state, purchase(line(1), sequence=2), (star,))) == 1


@pytest.mark.parametrize(("how", "scope"), [("up", "basket"), ("half_up", "basket"), ("down", "line")])
def test_a_remainder_can_be_carried_only_where_a_basket_is_rounded_down(how: Rounding, scope: Scope) -> None:
    with pytest.raises(ValueError, match="carried"):
        Earn("points", Fraction(1), Basis.AMOUNT, 100, how, scope, carry=True)


def test_an_excluded_category_excludes_all_below_it_and_nothing_beside_it() -> None:
    rules = programme(BASE, excluded_categories=("gift",))
    lines = [line(1000, number=n, category=c) for n, c in enumerate(("gift", "gift/card", "gifts", None), start=1)]

    assert recorded(decide(NEW, purchase(*lines), (rules,))).eligible == (0, 0, 1000, 1000)


def test_what_is_paid_with_points_earns_nothing_pro_rata_over_all_lines() -> None:
    tenders = (Tender("points", 7045, "redemption-1"), Tender("card", 7045))

    facts = decide(NEW, purchase(COFFEE, CAKE, GIFT_CARD, tenders=tenders), (P,))

    fact = recorded(facts)
    assert [Fraction(amount, fact.eligible_over) for amount in fact.eligible] == [1320, 725, 0]
    assert by_rule(facts) == {"base": 20, "coffee-double": 13}


def test_a_share_paid_with_points_stays_exact_where_it_does_not_divide() -> None:
    tenders = (Tender("points", 100), Tender("card", 200))

    fact = recorded(decide(NEW, purchase(line(100, number=1), line(200, number=2), tenders=tenders), (P,)))

    assert [Fraction(amount, fact.eligible_over) for amount in fact.eligible] == [Fraction(200, 3), Fraction(400, 3)]
    assert fact.eligible_minor == 200


def test_a_basket_paid_with_points_alone_earns_nothing_and_leaves_a_fact() -> None:
    facts = decide(NEW, purchase(line(1000), tenders=(Tender("points", 1000),)), (P,))

    assert recorded(facts).awards == ()
    assert recorded(facts).moves == ()


@pytest.mark.parametrize(
    ("tax_included", "tax_counts", "eligible"),
    [(True, True, 1000), (True, False, 900), (False, True, 1100), (False, False, 1000)],
)
def test_tax_counts_unless_the_programme_says_not(tax_included: bool, tax_counts: bool, eligible: int) -> None:
    sold = purchase(line(1000, tax=100), tax_included=tax_included)

    assert recorded(decide(NEW, sold, (programme(BASE, tax_counts=tax_counts),))).eligible_minor == eligible


def test_the_best_of_a_group_gives_and_the_others_of_it_do_not() -> None:
    rules = programme(
        BASE,
        Rule("double", Earn("points", Fraction(2), Basis.AMOUNT, 100), best_of="promotion"),
        Rule("fifty", FIFTY, best_of="promotion"),
    )

    assert by_rule(decide(NEW, purchase(line(1000)), (rules,))) == {"base": 10, "fifty": 50}
    assert by_rule(decide(NEW, purchase(line(3000)), (rules,))) == {"base": 30, "double": 60}


def test_best_of_compares_exact_amounts_and_of_equals_takes_the_first() -> None:
    rules = programme(
        Rule("first", Earn("points", Fraction(1), Basis.AMOUNT, 100), best_of="g"),
        Rule("equal", Earn("points", Fraction(2), Basis.AMOUNT, 200), best_of="g"),
        Rule("hair-less", Earn("points", Fraction(999), Basis.AMOUNT, 100_000), best_of="g"),
    )

    assert by_rule(decide(NEW, purchase(line(10_000)), (rules,))) == {"first": 100}


def test_points_by_item_follow_the_decimal_quantity() -> None:
    rules = programme(Rule("item", Earn("points", Fraction(10), Basis.ITEM), When(categories=("fruit",))))
    fruit = (
        line(100, number=1, category="fruit", quantity="0.652"),
        line(100, number=2, category="fruit/red", quantity="2"),
        line(100, number=3, category="bread", quantity="9"),
    )

    facts = decide(NEW, purchase(*fruit), (rules,))

    assert earned(facts) == 26
    (award,) = recorded(facts).awards
    assert [(number, Fraction(points, award.over)) for number, points in award.lines] == [
        (1, Fraction(652, 100)),
        (2, 20),
    ]


def test_a_rule_by_tender_counts_the_part_of_the_money_paid_so() -> None:
    rules = programme(Rule("wallet", PER_YUAN, When(tenders=frozenset({"wallet"}))))
    tenders = (Tender("wallet", 2500), Tender("card", 7500))

    assert earned(decide(NEW, purchase(line(10_000), tenders=tenders), (rules,))) == 25
    assert earned(decide(NEW, purchase(line(10_000)), (rules,))) == 0


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        (When(channels=frozenset({"store"})), True),
        (When(channels=frozenset({"web"})), False),
        (When(stores=frozenset({"0457"})), True),
        (When(stores=frozenset({"0001"})), False),
        (When(partners=frozenset({"cinema"})), False),
        (When(skus=frozenset({"sku-1"})), True),
        (When(skus=frozenset({"sku-2"})), False),
        (When(categories=("food",)), True),
        (When(categories=("foo",)), False),
        (When(tenders=frozenset({"card"})), True),
        (When(tenders=frozenset({"cash"})), False),
        (When(weekdays=frozenset({2})), True),
        (When(weekdays=frozenset({1, 3})), False),
        (When(hours=(time(9, 24), time(9, 25))), True),
        (When(hours=(time(9), time(9, 24))), False),
        (When(hours=(time(22), time(10))), True),
        (When(hours=(time(22), time(6))), False),
        (When(dates=(date(2026, 3, 11), date(2026, 3, 12))), True),
        (When(dates=(date(2026, 3, 10), date(2026, 3, 11))), False),
        (When(tiers=frozenset({"gold"})), False),
        (When(minimum_minor=1000), True),
        (When(minimum_minor=1001), False),
        (When(activity="review"), False),
    ],
)
def test_a_condition_decides_whether_a_rule_gives(when: When, applies: bool) -> None:
    facts = decide(NEW, purchase(line(1000)), (programme(Rule("bonus", FIFTY, when)),))

    assert earned(facts) == (50 if applies else 0)


def test_weekday_and_hour_go_by_the_stores_zone_and_dates_by_the_programmes() -> None:
    late_tuesday_in_new_york = purchase(at=WEDNESDAY, time_zone="America/New_York")
    tuesdays = programme(Rule("tuesday", FIFTY, When(weekdays=frozenset({1}), hours=(time(21), time(22)))))
    the_eleventh = programme(Rule("day", FIFTY, When(dates=(date(2026, 3, 11), date(2026, 3, 12)))))

    assert earned(decide(NEW, late_tuesday_in_new_york, (tuesdays,))) == 50
    assert earned(decide(NEW, late_tuesday_in_new_york, (the_eleventh,))) == 50


def test_an_activity_earns_by_the_rules_that_name_it() -> None:
    review = Rule("review", Earn("points", Fraction(20)), When(activity="review"), cap=Cap(30, "month"))
    done = (activity("review", reference="a"), activity("review", reference="b"), activity("share"))

    state = given(*done, versions=(programme(BASE, review),))

    assert state.units["points"].available == 30
    assert state.member_seq == 3


GIFT = Rule("campaign:birthday", Earn("points", Fraction(100)))


def test_C22_a_gift_of_a_campaign_is_what_the_campaign_says_and_no_tier_multiplies_it() -> None:
    giving = programme(BASE, Rule("gift", FIFTY, When(activity="gift")), gifts={"birthday": GIFT})
    gift = activity("gift", source="notifier", reference="birthday/2026", campaign="birthday")

    (recorded,) = decide(given(tier("gold", since=local(2026, 1, 1))), gift, (giving,))

    assert isinstance(recorded, ActivityRecorded)
    assert [(award.rule, award.points) for award in recorded.awards] == [("campaign:birthday", 100)]
    assert [move.lot for move in recorded.moves] == ["points@2027-03-31T16:00:00Z"]


def test_a_gift_of_a_campaign_that_the_version_lacks_is_recorded_and_worth_nothing() -> None:
    gift = activity("gift", source="notifier", reference="easter/2026", campaign="easter")

    (recorded,) = decide(NEW, gift, (programme(BASE, gifts={"birthday": GIFT}),))

    assert isinstance(recorded, ActivityRecorded)
    assert (recorded.awards, recorded.moves, recorded.reference) == ((), (), "easter/2026")


def test_a_tier_counts_from_its_first_instant_and_not_before() -> None:
    state = given(tier("gold", since=local(2026, 3, 11)))

    assert earned(decide(state, purchase(line(1000), at=local(2026, 3, 11)), (P,))) == 15
    assert earned(decide(state, purchase(line(1000), at=local(2026, 3, 10, 23, 59, 59)), (P,))) == 10


def test_of_two_tier_changes_at_one_instant_the_later_number_counts() -> None:
    since = local(2026, 3, 1)
    state = given(tier("gold", since=since, seq=1), tier(None, since=since, seq=2))

    assert earned(decide(state, purchase(line(1000)), (P,))) == 10


def test_a_basket_in_another_currency_earns_nothing() -> None:
    facts = decide(NEW, purchase(line(1000), currency="USD"), (P,))

    assert recorded(facts).awards == ()


def test_each_unit_has_lots_of_its_own_validity() -> None:
    growth = Rule("growth", Earn("growth", Fraction(1), Basis.AMOUNT, 100))

    facts = decide(NEW, purchase(line(1000)), (programme(BASE, growth),))

    assert [award.lot for award in recorded(facts).awards] == ["points@2027-03-31T16:00:00Z", "growth@never"]


def test_an_excluded_line_counts_for_no_rule_whatever_it_counts_by() -> None:
    rules = programme(
        Rule("item", Earn("points", Fraction(10), Basis.ITEM)),
        Rule("visit", Earn("points", Fraction(5), Basis.VISIT), When(categories=("gift-card",))),
    )

    assert by_rule(decide(NEW, purchase(CAKE, GIFT_CARD), (rules,))) == {"item": 10}


@pytest.mark.parametrize("basis", [Basis.ITEM, Basis.VISIT])
def test_a_rule_that_does_not_count_money_gives_when_its_tender_is_among_those_used(basis: Basis) -> None:
    rules = (programme(Rule("r", Earn("points", Fraction(5), basis), When(tenders=frozenset({"wallet"})))),)

    assert earned(decide(NEW, purchase(line(1000), tenders=(Tender("card", 1000),)), rules)) == 0
    assert earned(decide(NEW, purchase(line(1000), tenders=(Tender("card", 1), Tender("wallet", 999))), rules)) == 5
