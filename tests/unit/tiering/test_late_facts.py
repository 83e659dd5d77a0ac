"""Facts that arrive after what they change was said."""

from services.tiering.domain.changes import MemberStanding
from services.tiering.domain.facts import TierChanged
from services.tiering.domain.rules import Level
from tests.support.tiering_worlds import GOLD, SILVER, arrived, at, growth, rules


def said(changes: list[TierChanged]) -> list[tuple[str | None, str | None, object, bool]]:
    return [(change.from_tier, change.to_tier, change.effective_from, change.retroactive) for change in changes]


def silver_since_june() -> MemberStanding:
    state, _ = arrived([growth(at(2026, 6, 10), 1000)])
    return state


def test_a_late_purchase_that_only_moves_the_start_is_retroactive() -> None:
    _, changes = arrived([growth(at(2026, 3, 1), 1000)], state=silver_since_june(), now=at(2026, 7, 1))
    assert said(changes) == [(None, "silver", at(2026, 3, 2, 0), True)]
    assert changes[0].reason == "late_purchase"


def test_a_late_purchase_that_raises_the_present_is_news() -> None:
    state, _ = arrived([growth(at(2026, 6, 10), 4000)])
    _, changes = arrived([growth(at(2026, 6, 1), 1000)], state=state, now=at(2026, 7, 1))
    assert said(changes) == [
        (None, "silver", at(2026, 6, 2, 0), True),
        ("silver", "gold", at(2026, 6, 11, 0), False),
    ]
    assert changes[1].occurred_at == at(2026, 6, 10)


def test_where_an_earlier_start_passes_a_lower_tier_each_instant_gets_its_own_change() -> None:
    state, changes = arrived([growth(at(2026, 3, 1), 5000)], state=silver_since_june(), now=at(2026, 7, 1))
    assert said(changes) == [
        (None, "gold", at(2026, 3, 2, 0), True),
        ("silver", "gold", at(2026, 6, 11, 0), False),
    ]
    for day in (at(2026, 3, 2, 0), at(2026, 6, 11, 0), at(2026, 7, 1)):
        standing = state.tier_at(day)
        assert standing is not None
        assert standing.tier == "gold"


def test_in_a_past_year_a_tier_is_reached_late_and_the_present_stays() -> None:
    state, _ = arrived([growth(at(2026, 1, 10), 5000)])
    _, changes = arrived([growth(at(2025, 11, 1), 1000)], state=state, now=at(2026, 2, 1))
    assert said(changes) == [(None, "silver", at(2025, 11, 2, 0), True)]
    assert changes[0].valid_until == at(2027, 1, 1, 0)


def test_a_late_purchase_that_crosses_nothing_says_nothing() -> None:
    _, changes = arrived([growth(at(2026, 7, 1), 1)], state=silver_since_june(), now=at(2026, 8, 1))
    assert changes == []


def test_a_tier_promised_for_tomorrow_and_reached_today_is_no_second_welcome() -> None:
    versions = [rules(benefits_start="immediately")]
    state, _ = arrived([growth(at(2026, 6, 10, 18), 1000)], versions)
    _, changes = arrived([growth(at(2026, 6, 10, 9), 1000)], versions, state=state, now=at(2026, 6, 10, 19))
    assert [change.retroactive for change in changes] == [True]


def test_history_that_arrives_in_order_long_afterwards_is_not_retroactive() -> None:
    _, changes = arrived([growth(at(2025, 6, 10), 1000)], now=at(2026, 7, 1))
    assert said(changes) == [(None, "silver", at(2025, 6, 11, 0), False)]


def test_reaching_a_level_again_moves_its_end_and_says_nothing() -> None:
    state, changes = arrived([growth(at(2026, 6, 10), 1000), growth(at(2027, 6, 10), 1000)])
    assert len(changes) == 1
    assert state.ladder.steps[-1].valid_until == at(2029, 1, 1, 0)


def test_a_higher_tier_that_reaches_over_a_lower_one_promised_for_tomorrow_is_one_piece_of_news() -> None:
    versions = [rules(valid="for_ever")]
    state, _ = arrived([growth(at(2028, 1, 1, 0), 1000)], versions)
    _, changes = arrived([growth(at(2025, 11, 1), 5000)], versions, state=state, now=at(2028, 1, 1, 0))
    assert said(changes) == [
        (None, "gold", at(2025, 11, 2, 0), False),
        ("silver", "gold", at(2028, 1, 2, 0), True),
    ]


def test_a_tier_that_goes_on_beyond_a_lower_one_that_was_promised_is_not_reached_a_second_time() -> None:
    now = at(2028, 1, 1, 0)
    _, changes = arrived([growth(now, 1000), growth(at(2025, 11, 1), 5000), growth(at(2027, 1, 1, 0), 5000)], now=now)
    *_, going_on = changes
    assert said([going_on]) == [("silver", "gold", at(2028, 1, 2, 0), False)]
    assert (going_on.reason, going_on.occurred_at) == ("late_purchase", at(2027, 1, 1, 0))
    assert (going_on.metric, going_on.threshold) == (5000, 5000)


def test_what_an_end_left_of_a_late_tier_has_the_evidence_of_that_end() -> None:
    platinum = Level("platinum", 9000, 9000)
    versions = [rules(window="calendar_month", levels=(SILVER, GOLD, platinum))]
    boundary = at(2026, 1, 1, 0)
    _, changes = arrived([growth(boundary, 1000), *[growth(at(2025, 11, 1), 5000)] * 2], versions, now=at(2028, 1, 1))
    *_, left = changes
    assert said([left]) == [("silver", "gold", at(2026, 1, 2, 0), False)]
    assert (left.reason, left.occurred_at, left.metric, left.threshold) == ("late_purchase", boundary, 0, 9000)
