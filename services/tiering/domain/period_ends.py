"""The end of a tier's validity: what is left of the tier, and when the next one is due."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from uuid import UUID, uuid5

from services.tiering.domain.changes import Difference, MemberStanding, Published, announced
from services.tiering.domain.facts import TierChanged
from services.tiering.domain.instants import micros_of
from services.tiering.domain.rules import Rules, in_force
from services.tiering.domain.standing import Step, ended, evaluated


def due_at(state: MemberStanding) -> datetime | None:
    """The first end that was told and not judged yet, and that nothing published begins before; None = none."""
    timeline = sorted(state.published, key=lambda change: (change.effective_from, change.member_seq))
    ends = [
        end
        for change, later in zip_longest(timeline, timeline[1:])
        if (end := state.holds_until(change)) is not None and (later is None or end < later.effective_from)
    ]
    return min(ends, default=None)


def end_periods(
    state: MemberStanding, until: datetime, versions: Sequence[Rules], now: datetime
) -> tuple[MemberStanding, tuple[TierChanged, ...]]:
    """Judges every end that is due up to and at `until`, one after the other."""
    changes: tuple[TierChanged, ...] = ()
    while (boundary := due_at(state)) is not None and boundary <= until:
        state, brought = _end_period(state, boundary, versions, now)
        changes += brought
    return state, changes


def _end_period(
    state: MemberStanding, boundary: datetime, versions: Sequence[Rules], now: datetime
) -> tuple[MemberStanding, tuple[TierChanged, ...]]:
    state = replace(state, ladder=ended(state.ladder, boundary, versions))
    said, rules = state.tier_at(boundary), in_force(versions, boundary)
    assert said is not None, "an end that is due was published"
    assert rules is not None, "and published by a version"
    left = _left(state, said, boundary, rules)
    if left is None:
        return _kept(state, replace(said, valid_until=rules.running_until(boundary))), ()
    change = Published(state.member_seq + 1, boundary, left.tier, left.valid_until)
    lowered = Difference(change, said.tier, left, "period_end")
    return announced(state, [lowered], _event_id(state.member_id, boundary), versions, now)


def _left(state: MemberStanding, said: Published, boundary: datetime, rules: Rules) -> Step | None:
    """None where the tier stays. A tier that was told is judged as told, even if what gave it has come back since."""
    period = rules.period_ending_near(boundary)
    if period is None or period.ends_at is None or period.ends_at > boundary:
        return None
    left, step = evaluated(state.ladder, said.tier, boundary, period, rules), state.ladder.step_at(boundary)
    if step is not None and rules.rank(step.tier) > rules.rank(left.tier):
        left = replace(left, tier=step.tier, valid_until=step.valid_until)
    return left if rules.rank(left.tier) < rules.rank(said.tier) else None


def _kept(state: MemberStanding, said: Published) -> MemberStanding:
    """Nothing is published for a tier that stays; only its end is another."""
    return replace(
        state, published=tuple(said if each.member_seq == said.member_seq else each for each in state.published)
    )


def _event_id(member_id: str, boundary: datetime) -> str:
    return str(uuid5(UUID(member_id), f"period_end/{micros_of(boundary)}"))
