"""The parts of a programme that its checks look at; shapes are already right, references are not yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time

from services.programme.domain.durations import Duration

LANGUAGES = ("zh", "en")
GIFT_ACTIVITY = "gift"
"""What campaigns give is an activity of this name, which no rule looks at."""


@dataclass(frozen=True, slots=True)
class Expiry:
    after: Duration | None
    round: str = "none"


@dataclass(frozen=True, slots=True)
class Unit:
    spendable: bool
    decimals: int = 0
    expiry: Expiry = Expiry(None)
    restored_for: Duration | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`award` is what one award gives at least; `basis` is amount, item, visit or fixed."""

    id: str
    unit: str
    award: int
    basis: str
    cap: int | None = None
    tier_factors: Mapping[str, str] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    activity: str | None = None
    basket_conditions: tuple[str, ...] = ()
    """Names of the conditions that only a purchase can meet: category, sku, tender …"""

    hours: tuple[time, time] | None = None
    dates: tuple[date, date] | None = None
    pending: Duration | None = None
    valid_from_activation: bool = False
    expiry: Expiry | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Level:
    id: str
    reach: int
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class Reward:
    id: str
    prices: Mapping[str, int] = field(default_factory=dict)
    money_unit: str | None = None
    minimum: int = 1
    step: int = 1
    tiers: tuple[str, ...] = ()
    dates: tuple[date, date] | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    id: str
    template: str
    tolerance: Duration
    tier: str | None = None
    gift_unit: str | None = None
    gift_rule: str | None = None
    """The name of the gift among the rules that gave points."""


@dataclass(frozen=True, slots=True)
class Programme:
    """One version; `templates` maps a template to the languages that it has a text for."""

    version: int
    effective_from: datetime
    starts_on: date
    """The day of `effective_from` in the programme's zone."""

    time_zone: str
    currency: str
    units: Mapping[str, Unit]
    rules: tuple[Rule, ...] = ()
    excluded: tuple[str, ...] = ()
    metric_unit: str | None = None
    metric_window: str | None = None
    evaluate_after: Duration | None = None
    levels: tuple[Level, ...] = ()
    rewards: tuple[Reward, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    templates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
