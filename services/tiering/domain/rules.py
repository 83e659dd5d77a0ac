"""What one version of the programme says about tiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from services.tiering.domain.windows import INSTANT, Window, next_day, window_after, window_at, window_before

Validity = Literal["end_of_period", "end_of_next_period", "for_ever"]
BenefitsStart = Literal["next_day", "immediately"]
Downgrade = Literal["to_match", "one_step", "never"]


@dataclass(frozen=True, slots=True)
class Level:
    """`keep` is what the period before an end of validity must bring; less than `reach` where the programme says so."""

    id: str
    reach: int
    keep: int
    names: Mapping[str, str] = field(default_factory=dict)
    benefits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """One version; without levels it has no tiers. `qualifying` are the units that may ever measure standing.

    The end of a period is judged `evaluate_after` it, so that what is late is counted.
    """

    version: int
    starts_at: datetime
    zone: tzinfo
    unit: str = ""
    window: str = "calendar_year"
    valid: Validity = "end_of_next_period"
    benefits_start: BenefitsStart = "next_day"
    levels: tuple[Level, ...] = ()
    qualifying: frozenset[str] = frozenset()
    downgrade: Downgrade = "one_step"
    evaluate_after: timedelta = timedelta(hours=6)

    # Versions keep the order of levels and never drop one, so ranks of different versions can be compared.
    def rank(self, tier: str | None) -> int:
        """-1 for the base tier, and for a tier that this version does not have."""
        return next((rank for rank, level in enumerate(self.levels) if level.id == tier), -1)

    def level(self, tier: str | None) -> Level | None:
        rank = self.rank(tier)
        return self.levels[rank] if rank >= 0 else None

    def reached(self, metric: int) -> Level | None:
        return next((level for level in reversed(self.levels) if level.reach <= metric), None)

    def after_period(self, tier: str | None, metric: int) -> Level | None:
        """The level of who held `tier` through a period that brought `metric`."""
        rank = self.rank(tier)
        if rank < 0 or self.downgrade == "never" or self.levels[rank].keep <= metric:
            return self.level(tier)
        below = self.levels[:rank]
        match self.downgrade:
            case "one_step":
                return below[-1] if below else None
            case "to_match":
                return next((level for level in reversed(below) if level.keep <= metric), None)

    def window_at(self, instant: datetime) -> Window:
        return window_at(self.window, instant, self.zone)

    def effective_from(self, crossed_at: datetime) -> datetime:
        """The purchase that crosses is itself not of the new tier yet."""
        return next_day(crossed_at, self.zone) if self.benefits_start == "next_day" else crossed_at + INSTANT

    def valid_until(self, window: Window) -> datetime | None:
        """The end of validity of what was reached in `window`; None = for ever."""
        match self.valid:
            case "for_ever":
                return None
            case "end_of_period":
                return window.ends_at
            case "end_of_next_period":
                return window_after(window, self.zone).ends_at

    def period_ending_near(self, instant: datetime) -> Window | None:
        """The period whose end is nearest; None where no validity ends."""
        running = self.window_at(instant)
        if self.valid == "for_ever" or running.starts_at is None or running.ends_at is None:
            return None
        # An end of validity is an end of a period, unless a later version has another window or zone.
        is_over = instant - running.starts_at <= running.ends_at - instant
        return window_before(running, self.zone) if is_over else running

    def running_until(self, instant: datetime) -> datetime | None:
        """How long what an evaluation at `instant` gives is valid: the end of the period that begins then."""
        return None if self.valid == "for_ever" else self.window_at(instant).ends_at


def in_force(versions: Sequence[Rules], at: datetime) -> Rules | None:
    """The highest-numbered version that has started; None before the first."""
    started = [rules for rules in versions if rules.starts_at <= at]
    return max(started, key=lambda rules: rules.version, default=None)
