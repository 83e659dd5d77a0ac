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
    """A level reached: when it was crossed, since when it counts, and the evidence."""

    tier: str
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
    """`credits` by unit, ascending; `steps` is the fold of them, each step above the one before it."""

    credits: Mapping[str, tuple[Credit, ...]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

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
        """The last step that counts at `at`; steps ascend, so it is the highest."""
        return next((step for step in reversed(self.steps) if step.effective_from <= at), None)


def credited(ladder: Ladder, occurred_at: datetime, amounts: Mapping[str, int], versions: Sequence[Rules]) -> Ladder:
    """The ladder after one more qualifying fact; one out of order makes every step be found again."""
    at_micros = micros_of(occurred_at)
    is_newest = all(not held or held[-1].at_micros < at_micros for held in ladder.credits.values())
    credits = dict(ladder.credits)
    for unit, points in amounts.items():
        credits[unit] = _added(credits.get(unit, ()), Credit(at_micros, points))
    if is_newest:
        return climbed(Ladder(credits, ladder.steps), [occurred_at], versions)
    return climbed_from_the_ground(credits, versions)


def climbed_from_the_ground(credits: Mapping[str, tuple[Credit, ...]], versions: Sequence[Rules]) -> Ladder:
    instants = sorted({credit.at_micros for held in credits.values() for credit in held})
    return climbed(Ladder(credits), [instant_of(micros) for micros in instants], versions)


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
        _take_step(steps, rules, window, instant, metric)
    return replace(ladder, steps=tuple(steps))


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
