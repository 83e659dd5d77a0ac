"""What a member is told about where they stand."""

from services.tiering.domain.changes import MemberStanding
from services.tiering.domain.period_ends import end_periods
from services.tiering.domain.progress import progress
from tests.support.tiering_worlds import GOLD, MEMBER, SILVER, arrived, at, growth, rules


def test_without_facts_a_member_has_the_base_tier_and_all_to_do() -> None:
    now = progress(MemberStanding(MEMBER), rules(), at(2026, 3, 1))
    assert (now.level, now.since, now.valid_until, now.metric) == (None, None, None, 0)
    assert now.next_level == SILVER
    assert now.to_reach is not None
    assert now.to_reach.missing == 1000
    assert now.to_keep is None


def test_what_is_missing_counts_only_this_window_up_to_then() -> None:
    state, _ = arrived([growth(at(2025, 12, 1), 500), growth(at(2026, 2, 1), 300), growth(at(2026, 4, 1), 50)])
    now = progress(state, rules(), at(2026, 3, 1))
    assert now.metric == 300
    assert now.to_reach is not None
    assert now.to_reach.missing == 700


def test_before_a_tier_begins_it_is_announced() -> None:
    state, _ = arrived([growth(at(2026, 6, 10, 18), 5000)])
    now = progress(state, rules(), at(2026, 6, 10, 20))
    assert now.level is None
    assert now.upcoming is not None
    assert (now.upcoming.level, now.upcoming.effective_from) == (GOLD, at(2026, 6, 11, 0))
    assert now.upcoming.valid_until == at(2028, 1, 1, 0)
    assert now.upcoming.to_keep is not None
    assert (now.upcoming.to_keep.missing, now.upcoming.to_keep.window.starts_at) == (4000, at(2027, 1, 1, 0))


def test_what_is_next_is_above_what_is_upcoming() -> None:
    state, _ = arrived([growth(at(2026, 6, 10, 18), 1200)])
    now = progress(state, rules(), at(2026, 6, 10, 20))
    assert now.upcoming is not None
    assert (now.level, now.upcoming.level, now.next_level) == (None, SILVER, GOLD)
    assert now.to_reach is not None
    assert now.to_reach.missing == 3800
    state, _ = arrived([growth(at(2026, 6, 10, 18), 5000)])
    assert progress(state, rules(), at(2026, 6, 10, 20)).next_level is None


def test_keeping_counts_in_the_period_before_the_end_of_validity() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 5200), growth(at(2027, 2, 1), 300)])
    in_2026, in_2027 = (progress(state, rules(), at(year, 3, 1)) for year in (2026, 2027))
    assert in_2026.level is None
    assert in_2027.level == GOLD
    assert in_2027.valid_until == at(2028, 1, 1, 0)
    assert in_2027.to_keep is not None
    assert (in_2027.to_keep.needed, in_2027.to_keep.counted, in_2027.to_keep.missing) == (4000, 300, 3700)
    assert in_2027.to_keep.window.ends_at == at(2028, 1, 1, 0)


def test_in_the_year_of_reaching_nothing_is_counted_for_keeping_yet() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 5200)])
    now = progress(state, rules(), at(2026, 7, 1))
    assert now.to_keep is not None
    assert (now.to_keep.counted, now.to_keep.window.starts_at) == (0, at(2027, 1, 1, 0))


def test_the_highest_tier_has_nothing_above_it() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 5200)])
    now = progress(state, rules(), at(2026, 7, 1))
    assert now.next_level is None
    assert now.to_reach is None


def test_since_is_when_the_tier_began_however_often_it_was_said() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 1000)])
    state, _ = arrived([growth(at(2026, 3, 1), 1000)], state=state, now=at(2026, 7, 1))
    assert progress(state, rules(), at(2026, 7, 1)).since == at(2026, 3, 2, 0)


def test_a_tier_for_ever_needs_no_keeping() -> None:
    versions = [rules(valid="for_ever")]
    state, _ = arrived([growth(at(2026, 6, 10), 1000)], versions)
    now = progress(state, versions[0], at(2026, 7, 1))
    assert (now.valid_until, now.to_keep) == (None, None)


def test_where_nothing_is_lowered_nothing_is_missing_to_keep() -> None:
    versions = [rules(downgrade="never")]
    state, _ = arrived([growth(at(2026, 6, 10), 5200)], versions)
    assert progress(state, versions[0], at(2027, 7, 1)).to_keep is None


def test_between_an_end_and_its_evaluation_the_tier_stays_and_says_so() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 5200)])
    before, then = (progress(state, rules(), moment) for moment in (at(2027, 12, 31), at(2028, 1, 1, 0)))
    assert (before.evaluation_pending, then.evaluation_pending) == (False, True)
    assert (then.level, then.valid_until) == (GOLD, at(2028, 1, 1, 0))
    judged, _ = end_periods(state, at(2028, 1, 1, 0), [rules()], at(2028, 1, 1, 6))
    after = progress(judged, rules(), at(2028, 1, 1, 0))
    assert (after.level, after.valid_until, after.evaluation_pending) == (SILVER, at(2029, 1, 1, 0), False)


def test_a_programme_without_tiers_has_no_progress() -> None:
    now = progress(MemberStanding(MEMBER), rules(levels=()), at(2026, 7, 1))
    assert (now.window, now.to_reach, now.next_level) == (None, None, None)
