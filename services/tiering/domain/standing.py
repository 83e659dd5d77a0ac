"""A member's standing: a function of what qualified and when it happened, whatever the order of arrival."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from services.tiering.domain.instants import instant_of, micros_of
from services.tiering.domain.rules import Rules, in_force
from services.tiering.domain.windows import Window

_BEFORE_ALL = -(2**62)


class Credit(NamedTuple):
    """All that a member qualified by at one instant, in one unit."""

    at_micros: int
    points: int


@dataclass(frozen=True, slots=True)
class Step:
    """A level reached, or what the end of a period left (tier None: base): when, since when it counts, the evidence.

    `threshold` is the `reach` that was crossed or, at the end of a period, the `keep` that was asked for.
    """

    tier: str | None
    crossed_at: datetime
    effective_from: datetime
    valid_until: datetime | None
    metric: int
    threshold: int
    unit: str
    window: Window
    programme_version: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """`credits` by unit, ascending; `steps` is the fold of them and of the ends of periods between.

    What ends after the newest credit is in the fold up to `ended_until`, and open beyond.
    """

    credits: Mapping[str, tuple[Credit, ...]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    ended_until: datetime | None = None

    def metric(self, unit: str, window: Window, until: datetime) -> int:
        """What was qualified in `window` up to and at `until`."""
        begin = micros_of(window.starts_at) if window.starts_at is not None else _BEFORE_ALL
        end = micros_of(until) + 1
        if window.ends_at is not None:
            end = min(end, micros_of(window.ends_at))
        held = self.credits.get(unit, ())
        return sum(points for _, points in held[_first_at(held, begin) : _first_at(held, end)])

    def points_at(self, unit: str, instant: datetime) -> int:
        held, at_micros = self.credits.get(unit, ()), micros_of(instant)
        place = _first_at(held, at_micros)
        return held[place].points if place < len(held) and held[place].at_micros == at_micros else 0

    def step_at(self, at: datetime) -> Step | None:
        """The last step that counts at `at`."""
        return next((step for step in reversed(self.steps) if step.effective_from <= at), None)


def credited(ladder: Ladder, occurred_at: datetime, amounts: Mapping[str, int], versions: Sequence[Rules]) -> Ladder:
    """The ladder after one more qualifying fact; one out of order makes every step be found again."""
    at_micros = micros_of(occurred_at)
    is_newest = all(not held or held[-1].at_micros < at_micros for held in ladder.credits.values())
    credits = dict(ladder.credits)
    for unit, points in amounts.items():
        credits[unit] = _added(credits.get(unit, ()), Credit(at_micros, points))
    grown = replace(ladder, credits=credits)
    if is_newest and (ladder.ended_until is None or ladder.ended_until <= occurred_at):
        return climbed(grown, [occurred_at], versions)
    return climbed_from_the_ground(grown, versions)


def climbed_from_the_ground(ladder: Ladder, versions: Sequence[Rules]) -> Ladder:
    instants = sorted({credit.at_micros for held in ladder.credits.values() for credit in held})
    found = climbed(replace(ladder, steps=()), [instant_of(micros) for micros in instants], versions)
    return ended(found, found.ended_until, versions) if found.ended_until is not None else found


def ended(ladder: Ladder, until: datetime, versions: Sequence[Rules]) -> Ladder:
    """The ladder with all that ends up to and at `until`."""
    steps = list(ladder.steps)
    _end_periods(ladder, steps, until, versions)
    return replace(ladder, steps=tuple(steps), ended_until=max(until, ladder.ended_until or until))


def evaluated(ladder: Ladder, tier: str | None, boundary: datetime, period: Window, rules: Rules) -> Step:
    """What `tier` comes to at `boundary`, by what `period` brought and the rules in force at that instant."""
    metric = ladder.metric(rules.unit, period, boundary)
    held, level = rules.level(tier), rules.after_period(tier, metric)
    return Step(
        tier=level.id if level is not None else None,
        crossed_at=boundary,
        effective_from=boundary,
        valid_until=rules.running_until(boundary) if level is not None else None,
        metric=metric,
        threshold=held.keep if held is not None else 0,
        unit=rules.unit,
        window=period,
        programme_version=rules.version,
    )


def climbed(ladder: Ladder, instants: Sequence[datetime], versions: Sequence[Rules]) -> Ladder:
    """Takes the step, if any, of each instant; they ascend, and no instant with a credit is left out between them."""
    steps = list(ladder.steps)
    window: Window | None = None
    windowed: Rules | None = None
    metric = 0
    for instant in instants:
        rules = in_force(versions, instant)
        # Before the first version nothing could be reached, and what happened then is never judged again.
        if rules is None or not rules.levels:
            continue
        if window is None or rules is not windowed or not window.holds(instant):
            window, windowed = rules.window_at(instant), rules
            metric = ladder.metric(rules.unit, window, instant)
        else:
            # Summing the window anew for each instant would cost a late purchase the square of a year's credits.
            metric += ladder.points_at(rules.unit, instant)
        # What is bought at the very instant of an end belongs to the period that begins.
        _end_periods(ladder, steps, instant, versions)
        _take_step(steps, rules, window, instant, metric)
    return replace(ladder, steps=tuple(steps))


def _end_periods(ladder: Ladder, steps: list[Step], until: datetime, versions: Sequence[Rules]) -> None:
    while steps and (end := steps[-1].valid_until) is not None and end <= until:
        rules = in_force(versions, end)
        assert rules is not None, "what has an end was reached by a version, which started before"
        period = rules.period_ending_near(end)
        if period is None or period.ends_at is None or period.ends_at > end:
            steps[-1] = replace(steps[-1], valid_until=rules.running_until(end))
        else:
            steps.append(_not_below_for_ever(evaluated(ladder, steps[-1].tier, end, period, rules), steps, rules))


def _not_below_for_ever(step: Step, steps: Sequence[Step], rules: Rules) -> Step:
    """An earlier version may have given a level for ever, and a higher one that ends does not take it away."""
    for_ever = [each.tier for each in steps if each.valid_until is None]
    kept = max(for_ever, key=rules.rank, default=None)
    return replace(step, tier=kept, valid_until=None) if rules.rank(kept) > rules.rank(step.tier) else step


def _take_step(steps: list[Step], rules: Rules, window: Window, instant: datetime, metric: int) -> None:
    level = rules.reached(metric)
    last = steps[-1] if steps else None
    if level is None or rules.rank(level.id) < rules.rank(last.tier if last else None):
        return
    valid_until = rules.valid_until(window)
    if last is not None and last.tier == level.id:
        steps[-1] = _renewed(last, valid_until)
        return
    steps.append(
        Step(
            tier=level.id,
            crossed_at=instant,
            effective_from=rules.effective_from(instant),
            valid_until=valid_until,
            metric=metric,
            threshold=level.reach,
            unit=rules.unit,
            window=window,
            programme_version=rules.version,
        )
    )


def _renewed(step: Step, valid_until: datetime | None) -> Step:
    """Reaching the same level in a later window moves the end of its validity, never back."""
    if step.valid_until is None or (valid_until is not None and valid_until <= step.valid_until):
        return step
    return replace(step, valid_until=valid_until)


def _added(held: tuple[Credit, ...], credit: Credit) -> tuple[Credit, ...]:
    place = _first_at(held, credit.at_micros)
    if place < len(held) and held[place].at_micros == credit.at_micros:
        points = held[place].points + credit.points
        # What came back whole is as if it had not been: at its instant nothing can be reached any more.
        same = (Credit(credit.at_micros, points),) if points else ()
        return (*held[:place], *same, *held[place + 1 :])
    return (*held[:place], credit, *held[place:])


def _first_at(held: tuple[Credit, ...], at_micros: int) -> int:
    return bisect_left(held, (at_micros, _BEFORE_ALL))
