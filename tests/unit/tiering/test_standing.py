"""When a member rises, and what is said about it."""

from datetime import datetime, timedelta

import pytest

from services.tiering.domain.facts import Qualified
from services.tiering.domain.rules import Level, Validity
from services.tiering.domain.windows import Window
from tests.support.tiering_worlds import GOLD, arrived, at, growth, rules


def test_C15_5200_by_10_june_is_gold_from_11_june_and_valid_through_the_next_year() -> None:
    state, changes = arrived([growth(at(2026, 3, 2), 900), growth(at(2026, 6, 10, 18), 4300)])

    (change,) = changes
    assert (change.from_tier, change.to_tier, change.reason) == (None, "gold", "reached")
    assert change.effective_from == at(2026, 6, 11, 0)
    assert change.valid_until == at(2028, 1, 1, 0)
    assert (change.metric, change.threshold, change.unit) == (5200, 5000, "growth")
    assert change.window == Window("calendar_year", at(2026, 1, 1, 0), at(2027, 1, 1, 0))
    assert state.tier_at(at(2026, 6, 10, 23, 59)) is None


def test_below_the_threshold_nothing_is_said() -> None:
    state, changes = arrived([growth(at(2026, 1, 5), 999)])
    assert changes == []
    assert state.tier_at(at(2026, 12, 31)) is None


def test_exactly_the_threshold_is_enough() -> None:
    _, (change,) = arrived([growth(at(2026, 1, 5), 999), growth(at(2026, 1, 6), 1)])
    assert (change.to_tier, change.metric, change.threshold) == ("silver", 1000, 1000)


def test_two_levels_crossed_at_once_are_one_change_to_the_higher() -> None:
    _, changes = arrived([growth(at(2026, 1, 5), 6000)])
    assert [(change.from_tier, change.to_tier) for change in changes] == [(None, "gold")]


def test_one_level_after_the_other_are_two_changes() -> None:
    _, changes = arrived([growth(at(2026, 1, 5), 1000), growth(at(2026, 2, 5), 4000)])
    assert [(change.member_seq, change.from_tier, change.to_tier) for change in changes] == [
        (1, None, "silver"),
        (2, "silver", "gold"),
    ]


def test_two_levels_on_one_day_leave_the_higher_standing() -> None:
    state, changes = arrived([growth(at(2026, 1, 5, 9), 1000), growth(at(2026, 1, 5, 18), 4000)])
    assert [change.effective_from for change in changes] == [at(2026, 1, 6, 0)] * 2
    standing = state.tier_at(at(2026, 1, 6, 0))
    assert standing is not None
    assert standing.tier == "gold"


@pytest.mark.parametrize(
    ("crossed", "effective"),
    [
        pytest.param(at(2026, 6, 10, 0), at(2026, 6, 11, 0), id="at the first instant of a day"),
        pytest.param(at(2026, 6, 10, 23, 59), at(2026, 6, 11, 0), id="a minute before midnight"),
        pytest.param(at(2026, 6, 11, 0), at(2026, 6, 12, 0), id="at midnight it is the next day already"),
        pytest.param(at(2026, 12, 31, 23), at(2027, 1, 1, 0), id="over the end of the year"),
    ],
)
def test_the_next_day_begins_at_midnight_of_the_programme(crossed: datetime, effective: datetime) -> None:
    _, (change,) = arrived([growth(crossed, 1000)])
    assert change.effective_from == effective
    assert change.window.starts_at == at(2026, 1, 1, 0)


def test_immediately_is_after_the_purchase_that_crossed() -> None:
    crossed = at(2026, 6, 10, 18)
    state, (change,) = arrived([growth(crossed, 1000)], [rules(benefits_start="immediately")])
    assert change.effective_from == crossed + timedelta(microseconds=1)
    assert state.tier_at(crossed) is None


def test_the_metric_starts_anew_with_the_year_of_the_programme() -> None:
    _, changes = arrived([growth(at(2026, 12, 31, 23, 59), 999), growth(at(2027, 1, 1, 0), 1)])
    assert changes == []


def test_another_unit_does_not_count() -> None:
    _, changes = arrived([Qualified("e", at(2026, 1, 5), {"miles": 9000})])
    assert changes == []


@pytest.mark.parametrize(
    ("window", "starts", "ends", "until"),
    [
        ("calendar_month", at(2026, 6, 1, 0), at(2026, 7, 1, 0), at(2026, 8, 1, 0)),
        ("calendar_quarter", at(2026, 4, 1, 0), at(2026, 7, 1, 0), at(2026, 10, 1, 0)),
        ("lifetime", None, None, None),
    ],
)
def test_other_windows_have_their_own_ends(
    window: str, starts: datetime | None, ends: datetime | None, until: datetime | None
) -> None:
    _, (change,) = arrived([growth(at(2026, 6, 10), 1000)], [rules(window=window)])
    assert change.window == Window(window, starts, ends)
    assert change.valid_until == until


@pytest.mark.parametrize(("valid", "until"), [("end_of_period", at(2027, 1, 1, 0)), ("for_ever", None)])
def test_validity_may_end_with_the_period_or_never(valid: Validity, until: datetime | None) -> None:
    _, (change,) = arrived([growth(at(2026, 6, 10), 1000)], [rules(valid=valid)])
    assert change.valid_until == until


def test_a_fact_is_judged_by_the_version_in_force_when_it_happened() -> None:
    easier = rules(2, starts_at=at(2026, 5, 1, 0), levels=(Level("silver", 500, 500), GOLD))
    versions = [rules(), easier]
    _, before = arrived([growth(at(2026, 4, 30, 23), 600)], versions, now=at(2026, 5, 2))
    _, after = arrived([growth(at(2026, 5, 1, 0), 600)], versions)
    assert before == []
    assert [(change.to_tier, change.programme_version) for change in after] == [("silver", 2)]


def test_before_the_first_version_nothing_is_reached() -> None:
    _, changes = arrived([growth(at(2026, 1, 1), 9000)], [rules(starts_at=at(2026, 2, 1, 0))])
    assert changes == []


def test_a_programme_without_tiers_raises_nobody() -> None:
    _, changes = arrived([growth(at(2026, 1, 1), 9000)], [rules(levels=())])
    assert changes == []


def test_what_a_later_clock_says_never_goes_back_in_the_records_of_a_member() -> None:
    state, _ = arrived([growth(at(2026, 1, 5), 1000)], now=at(2026, 1, 5, 13))
    _, (change,) = arrived([growth(at(2026, 1, 6), 4000)], state=state, now=at(2026, 1, 5, 12))
    assert change.recorded_at == at(2026, 1, 5, 13)
