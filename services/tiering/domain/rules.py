"""What one version of the programme says about tiers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from services.tiering.domain.windows import Window, next_day, window_after, window_at

Validity = Literal["end_of_period", "end_of_next_period", "for_ever"]
BenefitsStart = Literal["next_day", "immediately"]
_INSTANT = timedelta(microseconds=1)


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
    """One version; without levels it has no tiers. `qualifying` are the units that may ever measure standing."""

    version: int
    starts_at: datetime
    zone: tzinfo
    unit: str = ""
    window: str = "calendar_year"
    valid: Validity = "end_of_next_period"
    benefits_start: BenefitsStart = "next_day"
    levels: tuple[Level, ...] = ()
    qualifying: frozenset[str] = frozenset()

    # Versions keep the order of levels and never drop one, so ranks of different versions can be compared.
    def rank(self, tier: str | None) -> int:
        """-1 for the base tier, and for a tier that this version does not have."""
        return next((rank for rank, level in enumerate(self.levels) if level.id == tier), -1)

    def level(self, tier: str | None) -> Level | None:
        rank = self.rank(tier)
        return self.levels[rank] if rank >= 0 else None

    def reached(self, metric: int) -> Level | None:
        return next((level for level in reversed(self.levels) if level.reach <= metric), None)

    def window_at(self, instant: datetime) -> Window:
        return window_at(self.window, instant, self.zone)

    def effective_from(self, crossed_at: datetime) -> datetime:
        """The purchase that crosses is itself not of the new tier yet."""
        return next_day(crossed_at, self.zone) if self.benefits_start == "next_day" else crossed_at + _INSTANT

    def valid_until(self, window: Window) -> datetime | None:
        """The end of validity of what was reached in `window`; None = for ever."""
        match self.valid:
            case "for_ever":
                return None
            case "end_of_period":
                return window.ends_at
            case "end_of_next_period":
                return window_after(window, self.zone).ends_at


def in_force(versions: Sequence[Rules], at: datetime) -> Rules | None:
    """The highest-numbered version that has started; None before the first."""
    started = [rules for rules in versions if rules.starts_at <= at]
    return max(started, key=lambda rules: rules.version, default=None)
