"""What the end of a period leaves of a tier, and what is said about it."""

from datetime import UTC, datetime

import pytest

from services.tiering.domain.changes import MemberStanding
from services.tiering.domain.facts import TierChanged
from services.tiering.domain.period_ends import due_at, end_periods
from services.tiering.domain.rules import BenefitsStart, Downgrade, Level, Rules, Validity
from tests.support.tiering_worlds import GOLD, SILVER, arrived, at, growth, rules

BOUNDARY, NEXT_BOUNDARY = at(2028, 1, 1, 0), at(2029, 1, 1, 0)
EVALUATED = at(2028, 1, 1, 6)
PLATINUM = Level("platinum", 9000, 9000)


def ended(
    state: MemberStanding, until: datetime = BOUNDARY, versions: list[Rules] | None = None, *, now: datetime = EVALUATED
) -> tuple[MemberStanding, list[tuple[str | None, str | None, datetime]], tuple[TierChanged, ...]]:
    state, changes = end_periods(state, until, versions or [rules()], now)
    return state, [(change.from_tier, change.to_tier, change.effective_from) for change in changes], changes


def gold_of_2026(*more: tuple[datetime, int], versions: list[Rules] | None = None) -> MemberStanding:
    facts = [growth(at(2026, 6, 10), 5200), *(growth(moment, points) for moment, points in more)]
    return arrived(facts, versions or [rules()])[0]


def test_C15_gold_falls_one_step_at_each_boundary() -> None:
    state = gold_of_2026((at(2027, 5, 1), 300))
    assert due_at(state) == BOUNDARY

    state, said, (silver,) = ended(state)
    assert said == [("gold", "silver", BOUNDARY)]
    assert (silver.reason, silver.occurred_at, silver.recorded_at) == ("period_end", BOUNDARY, EVALUATED)
    assert (silver.metric, silver.threshold, silver.window.starts_at) == (300, 4000, at(2027, 1, 1, 0))
    assert due_at(state) == silver.valid_until == NEXT_BOUNDARY

    state, said, (base,) = ended(state, NEXT_BOUNDARY, now=at(2029, 1, 1, 6))
    assert said == [("silver", None, NEXT_BOUNDARY)]
    assert (base.metric, base.threshold, base.valid_until) == (0, 1000, None)
    assert due_at(state) is None


def test_C15_several_boundaries_are_judged_in_order() -> None:
    _, said, changes = ended(gold_of_2026((at(2027, 5, 1), 300)), at(2030, 1, 1), now=at(2030, 1, 1))
    assert said == [("gold", "silver", BOUNDARY), ("silver", None, NEXT_BOUNDARY)]
    assert len({change.event_id for change in changes}) == 2


def test_before_its_end_nothing_is_judged_and_afterwards_not_again() -> None:
    state = gold_of_2026()
    assert ended(state, at(2027, 12, 31))[0] == state
    once, _, _ = ended(state)
    assert ended(once)[0] == once


def test_the_id_of_a_change_is_that_of_the_member_and_the_boundary() -> None:
    (first,), (again,) = ended(gold_of_2026())[2], ended(gold_of_2026((at(2027, 5, 1), 300)))[2]
    assert first.event_id == again.event_id


def test_keep_is_enough_to_stay_and_nothing_is_said() -> None:
    state, said, _ = ended(gold_of_2026((at(2027, 5, 1), 4000)))
    assert said == []
    assert due_at(state) == NEXT_BOUNDARY


def test_an_end_that_later_facts_have_passed_is_open_until_it_is_judged() -> None:
    state = gold_of_2026((at(2027, 5, 1), 4000), (at(2028, 1, 1, 2), 1))
    assert due_at(state) == BOUNDARY
    assert due_at(ended(state)[0]) == NEXT_BOUNDARY


def test_what_is_bought_at_the_very_instant_of_the_end_belongs_to_the_next_period() -> None:
    _, said, _ = ended(gold_of_2026((BOUNDARY, 4000)))
    assert said == [("gold", "silver", BOUNDARY)]


@pytest.mark.parametrize(
    ("downgrade", "counted", "left"),
    [
        pytest.param("one_step", 0, "gold", id="one step"),
        pytest.param("to_match", 8999, "gold", id="to what is kept by less"),
        pytest.param("to_match", 1000, "silver", id="two levels at once"),
        pytest.param("to_match", 999, None, id="to the base tier"),
        pytest.param("never", 0, "platinum", id="never"),
    ],
)
def test_how_far_a_tier_falls_is_the_programmes_word(downgrade: Downgrade, counted: int, left: str | None) -> None:
    versions = [rules(levels=(SILVER, GOLD, PLATINUM), downgrade=downgrade)]
    state, _ = arrived([growth(at(2026, 6, 10), 9000), growth(at(2027, 6, 10), counted)], versions)
    state, _, _ = ended(state, versions=versions)
    standing = state.tier_at(BOUNDARY)
    assert standing is not None
    assert (standing.tier, standing.valid_until) == (left, NEXT_BOUNDARY if left else None)


@pytest.mark.parametrize(
    ("valid", "due"),
    [("end_of_period", at(2027, 1, 1, 0)), ("end_of_next_period", BOUNDARY), ("for_ever", None)],
)
def test_when_a_tier_ends_is_the_programmes_word(valid: Validity, due: datetime | None) -> None:
    assert due_at(gold_of_2026(versions=[rules(valid=valid)])) == due


def test_at_the_end_of_the_period_itself_what_reached_the_tier_keeps_it_for_another() -> None:
    versions = [rules(valid="end_of_period")]
    state, said, _ = ended(gold_of_2026(versions=versions), at(2027, 1, 1, 0), versions, now=at(2027, 1, 1, 6))
    assert (said, due_at(state)) == ([], BOUNDARY)
    assert ended(state, versions=versions)[1] == [("gold", "silver", BOUNDARY)]


@pytest.mark.parametrize(
    ("window", "due"), [("calendar_quarter", at(2026, 10, 1, 0)), ("calendar_month", at(2026, 8, 1, 0))]
)
def test_shorter_periods_end_sooner(window: str, due: datetime) -> None:
    versions = [rules(window=window)]
    state = gold_of_2026(versions=versions)
    assert due_at(state) == due
    assert ended(state, due, versions, now=due)[1] == [("gold", "silver", due)]


def test_a_rise_between_the_end_and_its_evaluation_is_said_at_once() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 1000)])
    state, (risen,) = arrived([growth(at(2028, 1, 1, 2), 5000)], state=state)
    assert (risen.from_tier, risen.to_tier, risen.effective_from) == ("silver", "gold", at(2028, 1, 2, 0))
    state, said, (base,) = ended(state)
    assert said == [("silver", None, BOUNDARY)]
    assert not base.retroactive
    assert [each.tier for day in (1, 2) if (each := state.tier_at(at(2028, 1, day, 7)))] == [None, "gold"]


def test_a_tier_lost_and_reached_again_before_the_evaluation_is_two_pieces_of_news() -> None:
    state = gold_of_2026((at(2028, 1, 1, 2), 5000))
    _, said, changes = ended(state)
    assert said == [("gold", "silver", BOUNDARY), ("silver", "gold", at(2028, 1, 2, 0))]
    assert [(change.reason, change.retroactive) for change in changes] == [("period_end", False), ("reached", False)]


@pytest.mark.parametrize(
    ("benefits_start", "now"),
    [("immediately", EVALUATED), ("next_day", at(2028, 1, 9))],
    ids=["at once", "by the time of the evaluation"],
)
def test_a_tier_lost_and_reached_again_in_the_past_leaves_the_present_as_it_was(
    benefits_start: BenefitsStart, now: datetime
) -> None:
    versions = [rules(benefits_start=benefits_start)]
    _, said, changes = ended(gold_of_2026((at(2028, 1, 1, 2), 5000), versions=versions), versions=versions, now=now)
    assert [(before, after) for before, after, _ in said] == [("gold", "silver"), ("silver", "gold")]
    assert [(change.reason, change.retroactive) for change in changes] == [("period_end", True), ("reached", True)]


def test_C17_a_late_purchase_that_would_have_kept_the_tier_restores_it_from_the_boundary_on() -> None:
    state, _, _ = ended(gold_of_2026((at(2027, 5, 1), 300)))
    state, (restored,) = arrived([growth(at(2027, 12, 30), 3700)], state=state, now=at(2028, 1, 3))
    assert (restored.from_tier, restored.to_tier, restored.reason) == ("silver", "gold", "late_purchase")
    assert restored.effective_from == restored.occurred_at == BOUNDARY
    assert (restored.metric, restored.threshold, restored.window.ends_at) == (4000, 4000, BOUNDARY)
    assert (restored.valid_until, restored.retroactive) == (NEXT_BOUNDARY, False)
    assert due_at(state) == NEXT_BOUNDARY


def test_C17_each_boundary_that_was_judged_too_low_is_corrected_and_no_more_said() -> None:
    state, _, _ = ended(gold_of_2026(), NEXT_BOUNDARY, now=at(2029, 1, 1, 6))
    _, changes = arrived([growth(at(2027, 12, 30), 4000)], state=state, now=at(2029, 2, 1))
    assert [(each.from_tier, each.to_tier, each.effective_from, each.retroactive) for each in changes] == [
        ("silver", "gold", BOUNDARY, True),
        (None, "silver", NEXT_BOUNDARY, False),
    ]
    assert {change.reason for change in changes} == {"late_purchase"}


def test_C17_a_late_purchase_that_reaches_a_higher_tier_is_news() -> None:
    versions = [rules(levels=(SILVER, GOLD, PLATINUM))]
    state, _, _ = ended(gold_of_2026(versions=versions), versions=versions)
    _, changes = arrived([growth(at(2027, 12, 30), 9000)], versions, state=state, now=at(2028, 1, 3))
    assert [(each.to_tier, each.effective_from, each.reason, each.retroactive) for each in changes] == [
        ("platinum", at(2027, 12, 31, 0), "late_purchase", True),
        ("platinum", BOUNDARY, "reached", False),
    ]


def test_a_tier_whose_purchase_came_back_lasts_to_its_end_and_is_judged_like_any_other() -> None:
    state = gold_of_2026((at(2026, 6, 10), -900), (at(2027, 5, 1), 300))
    assert due_at(state) == BOUNDARY
    assert ended(state)[1] == [("gold", "silver", BOUNDARY)]


def test_a_return_after_the_evaluation_takes_nothing_before_the_next_end() -> None:
    state, _, _ = ended(gold_of_2026((at(2027, 5, 1), 4000)))
    state, changes = arrived([growth(at(2027, 5, 1), -500)], state=state, now=at(2028, 2, 1))
    assert (changes, due_at(state)) == ([], NEXT_BOUNDARY)


def test_the_version_in_force_at_the_boundary_judges() -> None:
    strict = rules(2, starts_at=at(2027, 6, 1), downgrade="to_match")
    _, said, (change,) = ended(gold_of_2026(), versions=[rules(), strict])
    assert said == [("gold", None, BOUNDARY)]
    assert change.programme_version == 2


def test_what_was_given_for_ever_is_not_fallen_below() -> None:
    versions = [rules(valid="for_ever"), rules(2, starts_at=at(2027, 1, 1, 0), downgrade="to_match")]
    state, _ = arrived([growth(at(2026, 6, 10), 1000), growth(at(2027, 6, 10), 5000)], versions)
    _, said, _ = ended(state, NEXT_BOUNDARY, versions, now=NEXT_BOUNDARY)
    assert said == [("gold", "silver", NEXT_BOUNDARY)]


def test_a_version_without_ends_leaves_what_it_finds() -> None:
    versions = [rules(), rules(2, starts_at=at(2027, 6, 1), valid="for_ever")]
    state, said, _ = ended(gold_of_2026(), versions=versions)
    assert (said, due_at(state)) == ([], None)


@pytest.mark.parametrize(
    ("version", "judged"),
    [
        pytest.param(rules(2, starts_at=at(2027, 6, 1), zone=UTC), datetime(2028, 1, 1, tzinfo=UTC), id="zone"),
        pytest.param(rules(2, starts_at=at(2026, 9, 1), window="calendar_quarter"), BOUNDARY, id="shorter periods"),
    ],
)
def test_an_end_told_by_another_calendar_is_judged_at_the_nearest_end_of_this_one(
    version: Rules, judged: datetime
) -> None:
    _, said, changes = ended(gold_of_2026(), at(2028, 1, 2), [rules(), version], now=at(2028, 1, 2))
    assert said == [("gold", "silver", judged)]
    assert changes[0].window.ends_at == judged
