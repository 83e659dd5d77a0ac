"""Standing is a function of what happened and when, whatever the order in which it is heard of."""

from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.tiering.adapters.state import decode_state, encode_state
from services.tiering.domain.changes import MemberStanding, qualify
from services.tiering.domain.facts import Qualified
from services.tiering.domain.period_ends import end_periods
from services.tiering.domain.rules import Level, Rules
from services.tiering.domain.standing import climbed_from_the_ground
from tests.support.tiering_worlds import GOLD, MEMBER, SILVER, arrived, at, growth, rules

START = at(2025, 11, 1)
NOW = at(2028, 1, 1)
PLATINUM = Level("platinum", 9000, 9000)
HARDER = (Level("silver", 2000, 2000), Level("gold", 6000, 6000), Level("platinum", 12_000, 12_000))

moments = st.integers(0, 800 * 24).map(lambda hours: START + timedelta(hours=hours))
facts = st.lists(st.tuples(moments, st.sampled_from((1, 400, 999, 1000, 2500, 5000))), max_size=12)
programmes = st.builds(
    lambda window, start, harder: [
        rules(window=window, benefits_start=start, levels=(SILVER, GOLD, PLATINUM)),
        *harder,
    ],
    st.sampled_from(("calendar_year", "calendar_quarter", "calendar_month", "lifetime")),
    st.sampled_from(("next_day", "immediately")),
    st.sampled_from(([], [rules(2, starts_at=at(2026, 9, 1), levels=HARDER)])),
)


def numbered(drawn: list[tuple[datetime, int]]) -> list[Qualified]:
    return [growth(moment, points, number) for number, (moment, points) in enumerate(drawn)]


def tiers_through_time(state: MemberStanding, instants: list[datetime]) -> list[str | None]:
    standings = [state.tier_at(instant) for instant in instants]
    return [standing.tier if standing is not None else None for standing in standings]


def interesting(states: list[MemberStanding]) -> list[datetime]:
    edges = {each.effective_from for state in states for each in state.published}
    return sorted(edges | {edge - timedelta(microseconds=1) for edge in edges} | {NOW})


@given(drawn=facts, versions=programmes, randomness=st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_standing(
    drawn: list[tuple[datetime, int]], versions: list[Rules], randomness: Random
) -> None:
    in_order = sorted(numbered(drawn), key=lambda fact: fact.occurred_at)
    shuffled = list(in_order)
    randomness.shuffle(shuffled)
    first, _ = arrived(in_order, versions, now=NOW)
    second, _ = arrived(shuffled, versions, now=NOW)
    first, second = (end_periods(state, NOW, versions, NOW)[0] for state in (first, second))
    instants = interesting([first, second])
    assert tiers_through_time(first, instants) == tiers_through_time(second, instants)
    assert first.ladder.steps == second.ladder.steps


@given(drawn=facts, versions=programmes)
def test_what_is_published_is_what_the_ladder_says(drawn: list[tuple[datetime, int]], versions: list[Rules]) -> None:
    heard, _ = arrived(numbered(drawn), versions, now=NOW)
    state, _ = end_periods(heard, NOW, versions, NOW)
    for instant in interesting([state]):
        step, standing = state.ladder.step_at(instant), state.tier_at(instant)
        assert (step.tier if step else None) == (standing.tier if standing else None)


@given(drawn=facts, versions=programmes)
def test_the_fold_step_by_step_is_the_fold_from_the_ground(
    drawn: list[tuple[datetime, int]], versions: list[Rules]
) -> None:
    state, _ = arrived(numbered(drawn), versions, now=NOW)
    assert state.ladder == climbed_from_the_ground(state.ladder, versions)


@given(drawn=facts, versions=programmes)
def test_every_change_goes_up_and_numbers_have_no_gaps(
    drawn: list[tuple[datetime, int]], versions: list[Rules]
) -> None:
    order = {None: -1, "silver": 0, "gold": 1, "platinum": 2}
    _, changes = arrived(numbered(drawn), versions, now=NOW)
    assert [change.member_seq for change in changes] == list(range(1, len(changes) + 1))
    assert all(order[change.from_tier] < order[change.to_tier] for change in changes)
    # What an end has left of a higher tier has the evidence of that end: what was brought, and what was asked for.
    reached = [change for change in changes if change.occurred_at != change.window.ends_at]
    assert all(change.metric >= change.threshold for change in reached)


@given(drawn=facts, versions=programmes)
def test_a_member_is_welcomed_to_a_tier_once(drawn: list[tuple[datetime, int]], versions: list[Rules]) -> None:
    _, changes = arrived(numbered(drawn), versions, now=NOW)
    news = [change.to_tier for change in changes if change.reason == "reached" and not change.retroactive]
    assert len(news) == len(set(news))


@given(drawn=facts, versions=programmes)
def test_a_standing_survives_being_stored_between_facts(
    drawn: list[tuple[datetime, int]], versions: list[Rules]
) -> None:
    kept = stored = MemberStanding(MEMBER)
    for fact in numbered(drawn):
        kept, _ = qualify(kept, fact, versions, NOW)
        stored, _ = qualify(decode_state(MEMBER, encode_state(stored)), fact, versions, NOW)
    assert stored == kept
