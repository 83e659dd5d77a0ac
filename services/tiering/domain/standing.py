"""A member's standing: a function of what qualified and when it happened, whatever the order of arrival."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.tiering.domain.rules import Rules, in_force
from services.tiering.domain.windows import Window


@dataclass(frozen=True, slots=True)
class Credit:
    """All that a member qualified by at one instant, in one unit."""

    occurred_at: datetime
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
        total = 0
        for credit in reversed(self.credits.get(unit, ())):
            if window.starts_at is not None and credit.occurred_at < window.starts_at:
                break
            if credit.occurred_at <= until and window.holds(credit.occurred_at):
                total += credit.points
        return total

    def step_at(self, at: datetime) -> Step | None:
        """The last step that counts at `at`; steps ascend, so it is the highest."""
        return next((step for step in reversed(self.steps) if step.effective_from <= at), None)


def credited(ladder: Ladder, occurred_at: datetime, amounts: Mapping[str, int], versions: Sequence[Rules]) -> Ladder:
    """The ladder after one more qualifying fact; one out of order makes every step be found again."""
    is_newest = all(not held or held[-1].occurred_at < occurred_at for held in ladder.credits.values())
    credits = dict(ladder.credits)
    for unit, points in amounts.items():
        credits[unit] = _added(credits.get(unit, ()), Credit(occurred_at, points))
    if is_newest:
        return _climbed(Ladder(credits, ladder.steps), occurred_at, versions)
    return climbed_from_the_ground(credits, versions)


def climbed_from_the_ground(credits: Mapping[str, tuple[Credit, ...]], versions: Sequence[Rules]) -> Ladder:
    ladder = Ladder(credits)
    for instant in sorted({credit.occurred_at for held in credits.values() for credit in held}):
        ladder = _climbed(ladder, instant, versions)
    return ladder


def _climbed(ladder: Ladder, instant: datetime, versions: Sequence[Rules]) -> Ladder:
    rules = in_force(versions, instant)
    if rules is None or not rules.levels:
        return ladder
    window = rules.window_at(instant)
    metric = ladder.metric(rules.unit, window, instant)
    level = rules.reached(metric)
    last = ladder.steps[-1] if ladder.steps else None
    if level is None or rules.rank(level.id) < rules.rank(last.tier if last else None):
        return ladder
    valid_until = rules.valid_until(window)
    if last is not None and last.tier == level.id:
        return replace(ladder, steps=(*ladder.steps[:-1], _renewed(last, valid_until)))
    step = Step(
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
    return replace(ladder, steps=(*ladder.steps, step))


def _renewed(step: Step, valid_until: datetime | None) -> Step:
    """Reaching the same level in a later window moves the end of its validity, never back."""
    if step.valid_until is None or (valid_until is not None and valid_until <= step.valid_until):
        return step
    return replace(step, valid_until=valid_until)


def _added(held: tuple[Credit, ...], credit: Credit) -> tuple[Credit, ...]:
    place = bisect_right(held, credit.occurred_at, key=lambda each: each.occurred_at)
    if place and held[place - 1].occurred_at == credit.occurred_at:
        same = Credit(credit.occurred_at, held[place - 1].points + credit.points)
        return (*held[: place - 1], same, *held[place:])
    return (*held[:place], credit, *held[place:])
