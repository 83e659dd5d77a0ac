"""Where a member stands, and what is missing to rise and to stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.tiering.domain.changes import MemberStanding, Published
from services.tiering.domain.rules import Level, Rules
from services.tiering.domain.windows import Window


@dataclass(frozen=True, slots=True)
class Missing:
    """`counted` of `needed` within `window`, of which `missing` is left to do."""

    needed: int
    counted: int
    window: Window

    @property
    def missing(self) -> int:
        return max(0, self.needed - self.counted)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A change that is decided and does not count yet."""

    level: Level | None
    effective_from: datetime
    valid_until: datetime | None
    to_keep: Missing | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A member's tier at an instant; level None is the base tier, `next_level` is above it and not reached yet.

    With `evaluation_pending` the validity is over and the end of the period not judged yet: until then the tier stays.
    """

    level: Level | None
    since: datetime | None
    valid_until: datetime | None
    evaluation_pending: bool
    metric: int
    window: Window | None
    next_level: Level | None
    to_reach: Missing | None
    to_keep: Missing | None
    upcoming: Upcoming | None


def progress(state: MemberStanding, rules: Rules, at: datetime) -> Progress:
    """As published by now; `rules` are those in force at `at`."""
    current = state.tier_at(at)
    tier = current.tier if current is not None else None
    level = rules.level(tier)
    valid_until = state.holds_until(current) if current is not None else None
    window = rules.window_at(at) if rules.levels else None
    metric = state.ladder.metric(rules.unit, window, at) if window is not None else 0
    upcoming = _upcoming(state, rules, at)
    above = rules.levels[rules.rank(tier) + 1 :]
    # What is reached already, and only begins tomorrow, is not what is next.
    is_next = (each for each in above if upcoming is None or each.reach > metric)
    next_level = next(is_next, None)
    return Progress(
        level=level,
        since=_since(state.published, at),
        valid_until=valid_until,
        evaluation_pending=valid_until is not None and valid_until <= at,
        metric=metric,
        window=window,
        next_level=next_level,
        to_reach=Missing(next_level.reach, metric, window) if next_level is not None and window is not None else None,
        to_keep=_to_keep(state, rules, level, valid_until, at),
        upcoming=upcoming,
    )


def _upcoming(state: MemberStanding, rules: Rules, at: datetime) -> Upcoming | None:
    ahead = [each for each in state.published if each.effective_from > at]
    change = min(ahead, key=lambda each: (each.effective_from, -each.member_seq), default=None)
    if change is None:
        return None
    level, valid_until = rules.level(change.tier), state.holds_until(change)
    return Upcoming(level, change.effective_from, valid_until, _to_keep(state, rules, level, valid_until, at))


def _since(published: Sequence[Published], at: datetime) -> datetime | None:
    since, tier = None, None
    # Of two that begin at one instant only the later one ever stood: a tier taken and restored was held all along.
    standing = {each.effective_from: each.tier for each in published}
    for effective_from in sorted(standing):
        if effective_from <= at and standing[effective_from] != tier:
            since, tier = effective_from, standing[effective_from]
    return since if tier is not None else None


def _to_keep(
    state: MemberStanding, rules: Rules, level: Level | None, valid_until: datetime | None, at: datetime
) -> Missing | None:
    if level is None or valid_until is None or rules.downgrade == "never":
        return None
    # What decides is the last period before the end, which need not have begun.
    window = rules.period_ending_near(valid_until)
    if window is None:
        return None
    return Missing(level.keep, state.ladder.metric(rules.unit, window, at), window)
