"""What came back counts as if it had not been sold, wherever it arrives, and takes no tier away before its time."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.tiering.domain.facts import Qualified
from services.tiering.domain.rules import Level
from tests.support.tiering_worlds import arrived, at, growth, rules

START, NOW = at(2025, 11, 1), at(2028, 1, 1)
EASIER = (Level("silver", 500, 500), Level("gold", 2500, 2500))
VERSIONS = [rules(), rules(2, starts_at=at(2026, 9, 1), levels=EASIER)]

moments = st.integers(0, 800).map(lambda days: START + timedelta(days=days))
sales = st.lists(
    st.tuples(moments, st.sampled_from((400, 999, 1000, 5000)), st.integers(0, 2)), max_size=8, unique_by=lambda s: s[0]
)


@given(sales)
def test_the_ladder_is_that_of_what_stayed_sold(drawn: list[tuple[datetime, int, int]]) -> None:
    facts: list[Qualified] = []
    stayed: list[Qualified] = []
    for number, (moment, points, halves) in enumerate(drawn):
        back = points * halves // 2
        facts += [growth(moment, points, number), *([growth(moment, -back, 100 + number)] if back else [])]
        stayed += [growth(moment, points - back, number)] if points > back else []

    with_returns, changes = arrived(facts, VERSIONS, now=NOW)
    without, _ = arrived(sorted(stayed, key=lambda fact: fact.occurred_at), VERSIONS, now=NOW)

    assert with_returns.ladder.steps == without.ladder.steps
    assert with_returns.ladder.credits.get("growth", ()) == without.ladder.credits.get("growth", ())
    ranks = {None: 0, "silver": 1, "gold": 2}
    assert all(ranks[change.from_tier] < ranks[change.to_tier] for change in changes)
