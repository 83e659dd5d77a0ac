"""However facts arrive and whenever ends of periods are judged, standing is what the plain reference says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from services.tiering.adapters.state import decode_state, encode_state
from services.tiering.domain.changes import MemberStanding, qualify
from services.tiering.domain.facts import Qualified, TierChanged
from services.tiering.domain.period_ends import due_at, end_periods
from services.tiering.domain.rules import BenefitsStart, Downgrade, Level, Rules, Validity
from services.tiering.domain.standing import climbed_from_the_ground
from tests.support.tier_reference import tiers_at
from tests.support.tiering_worlds import MEMBER, SILVER, at, growth, rules

START, END = at(2025, 11, 1), at(2029, 6, 1)
PLATINUM = Level("platinum", 9000, 6000)
GOLD = Level("gold", 5000, 2500)
HARDER = (Level("silver", 2000, 1500), Level("gold", 6000, 6000), Level("platinum", 12_000, 12_000))

moments = st.integers(0, 1200 * 24).map(lambda hours: START + timedelta(hours=hours)) | st.sampled_from(
    (at(2025, 12, 31, 23), at(2026, 1, 1, 0), at(2026, 12, 31, 12), at(2027, 1, 1, 0), at(2028, 1, 1, 1))
)
sales = st.lists(st.tuples(moments, st.sampled_from((1, 400, 999, 1000, 2500, 5000))), max_size=12)
sweeps = st.lists(moments, max_size=4)


def programme(
    window: str, valid: Validity, downgrade: Downgrade, benefits_start: BenefitsStart, *, gets_harder: bool
) -> list[Rules]:
    levels = (SILVER, GOLD, PLATINUM)
    first = rules(window=window, valid=valid, downgrade=downgrade, benefits_start=benefits_start, levels=levels)
    return [first, replace(first, version=2, starts_at=at(2026, 9, 1), levels=HARDER)] if gets_harder else [first]


programmes = st.builds(
    programme,
    st.sampled_from(("calendar_year", "calendar_quarter", "calendar_month", "lifetime")),
    st.sampled_from(get_args(Validity)),
    st.sampled_from(get_args(Downgrade)),
    st.sampled_from(get_args(BenefitsStart)),
    gets_harder=st.booleans(),
)
Happening = Qualified | datetime


def lived(happenings: Sequence[Happening], versions: Sequence[Rules]) -> tuple[MemberStanding, list[TierChanged]]:
    """Facts as they arrive, and instants up to which the ends that are due are judged; then all up to the end."""
    state, said = MemberStanding(MEMBER), list[TierChanged]()
    for each in (*happenings, END):
        if isinstance(each, Qualified):
            state, changes = qualify(state, each, versions, END)
        else:
            state, changes = end_periods(state, each, versions, END)
        said += changes
        state = decode_state(MEMBER, encode_state(state))
    return state, said


def shuffled(drawn: Sequence[tuple[datetime, int]], swept: Sequence[datetime], randomness: Random) -> list[Happening]:
    happenings: list[Happening] = [*facts_of(drawn), *swept]
    randomness.shuffle(happenings)
    return happenings


def facts_of(drawn: Sequence[tuple[datetime, int]]) -> list[Qualified]:
    return [growth(moment, points, number) for number, (moment, points) in enumerate(drawn)]


def edges(state: MemberStanding) -> list[datetime]:
    instants = {each.effective_from for each in state.published} | {step.effective_from for step in state.ladder.steps}
    return sorted(instants | {instant - timedelta(microseconds=1) for instant in instants} | {START, END})


@given(drawn=sales, swept=sweeps, versions=programmes, randomness=st.randoms(use_true_random=False))
def test_standing_is_that_of_the_plain_reference(
    drawn: list[tuple[datetime, int]], swept: list[datetime], versions: list[Rules], randomness: Random
) -> None:
    state, _ = lived(shuffled(drawn, swept, randomness), versions)
    instants = edges(state)
    found = [standing.tier if (standing := state.tier_at(instant)) else None for instant in instants]
    assert found == tiers_at(facts_of(drawn), versions, instants, judged_until=END)


@given(drawn=sales, swept=sweeps, versions=programmes, randomness=st.randoms(use_true_random=False))
def test_what_is_told_and_what_is_known_agree_once_all_is_judged(
    drawn: list[tuple[datetime, int]], swept: list[datetime], versions: list[Rules], randomness: Random
) -> None:
    state, _ = lived(shuffled(drawn, swept, randomness), versions)
    due = due_at(state)
    assert due is None or due > END
    assert state.ladder == climbed_from_the_ground(state.ladder, versions)
    assert end_periods(state, END, versions, END) == (state, ())


@given(drawn=sales, swept=sweeps, versions=programmes, randomness=st.randoms(use_true_random=False))
def test_only_the_end_of_a_period_lowers_and_numbers_have_no_gaps(
    drawn: list[tuple[datetime, int]], swept: list[datetime], versions: list[Rules], randomness: Random
) -> None:
    order = {None: -1, "silver": 0, "gold": 1, "platinum": 2}
    _, said = lived(shuffled(drawn, swept, randomness), versions)
    assert [change.member_seq for change in said] == list(range(1, len(said) + 1))
    for change in said:
        goes_down = order[change.to_tier] < order[change.from_tier]
        assert goes_down == (change.reason == "period_end")
        if goes_down:
            assert change.metric < change.threshold
            assert change.occurred_at == change.effective_from == change.window.ends_at
