"""The earning rules of one version of the programme, prepared for quick adjudication."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.ledger.domain.expiry import Duration, Validity, add, expires_at
from services.ledger.domain.instants import in_utc
from services.ledger.domain.lots import lot_id, lot_terms
from services.ledger.domain.rewards import Reward

Rounding = Literal["down", "half_up", "up"]
Scope = Literal["basket", "line"]
Period = Literal["day", "week", "month", "year", "lifetime"]
Clawback = Literal["debt", "within_balance", "pending_only"]

STAMPS_REMEMBERED = 1_024
FOR_EVER = Validity()


class Basis(StrEnum):
    """What points are counted by; `visit` is a purchase, `fixed` a purchase or an activity."""

    AMOUNT = "amount"
    ITEM = "item"
    VISIT = "visit"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Unit:
    """What is counted; `validity` says how long points of it last unless a rule says otherwise.

    `on_clawback`: what a return cannot find becomes debt, or is waived, or only pending points are taken at all.
    `restored_for`: how long points that a redemption gives back can be used at least.
    """

    id: str
    validity: Validity = FOR_EVER
    qualifying: bool = False
    on_clawback: Clawback = "debt"
    restored_for: Duration | None = None


@dataclass(frozen=True, slots=True)
class When:
    """All given conditions must hold, None holds always; a category means itself and everything below it.

    `weekdays` (0 = Monday) and `hours` [from, to) go by the store's zone, `dates` [from, to) by the programme's;
    `hours` may run over midnight.
    """

    channels: frozenset[str] | None = None
    stores: frozenset[str] | None = None
    partners: frozenset[str] | None = None
    tiers: frozenset[str] | None = None
    categories: tuple[str, ...] | None = None
    skus: frozenset[str] | None = None
    tenders: frozenset[str] | None = None
    weekdays: frozenset[int] | None = None
    hours: tuple[time, time] | None = None
    dates: tuple[date, date] | None = None
    minimum_minor: int | None = None
    activity: str | None = None


@dataclass(frozen=True, slots=True)
class Earn:
    """`points` (smallest steps) for every `per` minor units, item, visit or once; exact until it is rounded.

    `carry` keeps what rounding down leaves for the next time, and so goes with `down` and `basket` only.
    """

    unit: str
    points: Fraction
    basis: Basis = Basis.FIXED
    per: int = 1
    rounding: Rounding = "down"
    scope: Scope = "basket"
    carry: bool = False

    def __post_init__(self) -> None:
        if self.carry and (self.rounding, self.scope) != ("down", "basket"):
            raise ValueError("a remainder is carried only where a basket is rounded down")
        if self.points <= 0 or self.per <= 0:
            raise ValueError("a rule gives more than nothing, for more than nothing")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many points of the rule per member and period of the programme's calendar."""

    points: int
    per: Period


@dataclass(frozen=True, slots=True)
class Pending:
    """Points become spendable `after` the purchase; their validity counts from earning or from activation."""

    after: Duration
    validity_from: Literal["earning", "activation"] = "earning"


class Occasion(NamedTuple):
    """What the conditions of a rule look at; `local` in the programme's zone, `store_local` in the store's."""

    channel: str | None
    store: str | None
    partner: str | None
    tier: str | None
    local: datetime
    store_local: datetime


Check = Callable[[Occasion], bool]
Rate = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """How points are earned; `best_of` names the group of which only the best rule gives."""

    id: str
    earn: Earn
    when: When = When()
    tier_factor: Mapping[str, Fraction] = field(default_factory=dict)
    cap: Cap | None = None
    pending: Pending | None = None
    expires: Validity | None = None
    best_of: str | None = None
    checks: tuple[Check, ...] = field(init=False, repr=False, compare=False)
    below: tuple[str, ...] | None = field(init=False, repr=False, compare=False)
    rate: Rate = field(init=False, repr=False, compare=False)
    tier_rates: Mapping[str | None, Rate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rate = self.earn.points / self.earn.per
        tier_rates = {tier: (rate * factor).as_integer_ratio() for tier, factor in self.tier_factor.items()}
        object.__setattr__(self, "rate", rate.as_integer_ratio())
        object.__setattr__(self, "tier_rates", tier_rates)
        object.__setattr__(self, "checks", tuple(_checks(self.when)))
        object.__setattr__(self, "below", below(self.when.categories))

    def applies(self, occasion: Occasion) -> bool:
        for check in self.checks:  # noqa: SIM110 - a generator would cost more than the checks
            if not check(occasion):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Rules:
    """A version of the programme as the ledger reads it; `starts_at` is when it takes effect."""

    version: int
    starts_at: datetime
    zone: ZoneInfo
    currency: str
    units: Mapping[str, Unit]
    rules: tuple[Rule, ...]
    excluded_categories: tuple[str, ...] = ()
    tax_counts: bool = True
    rewards: Mapping[str, Reward] = field(default_factory=dict)
    gifts: Mapping[str, Rule] = field(default_factory=dict)
    """By campaign."""
    excluded: tuple[str, ...] | None = field(init=False, repr=False, compare=False)
    for_purchases: tuple[Rule, ...] = field(init=False, repr=False, compare=False)
    stamps: Mapping[str, Callable[[datetime], str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts_at", in_utc(self.starts_at))
        object.__setattr__(self, "excluded", below(self.excluded_categories or None))
        object.__setattr__(self, "for_purchases", tuple(rule for rule in self.rules if rule.when.activity is None))
        giving = (*self.rules, *self.gifts.values())
        stamps = {rule.id: _stamp(rule, self.units[rule.earn.unit], self.zone) for rule in giving}
        object.__setattr__(self, "stamps", stamps)

    def for_activity(self, activity: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.when.activity == activity)

    def rule(self, rule_id: str) -> Rule:
        return next(rule for rule in self.rules if rule.id == rule_id)

    def lot_of(self, rule: Rule, local: datetime) -> str:
        """The lot into which the rule puts what it gives then (`local` in the programme's zone)."""
        return self.stamps[rule.id](local)

    def lot_restored_to(self, lot: str, now: datetime) -> str:
        """The lot into which points of a lot come back: itself, or one that lasts as long as the unit promises."""
        unit, ends_at, activates_at = lot_terms(lot)
        promised = self.units[unit].restored_for if unit in self.units else None
        if promised is None or ends_at is None:
            return lot
        at_least = expires_at(now, Validity(promised, "end_of_day"), self.zone)
        return lot if at_least is None or ends_at >= at_least else lot_id(unit, at_least, activates_at)


def rules_in_force(versions: Sequence[Rules], at: datetime) -> Rules | None:
    """The highest-numbered version whose start is not after `at`; None before the first of them."""
    latest: Rules | None = None
    for rules in versions:
        if rules.starts_at <= at and (latest is None or rules.version > latest.version):
            latest = rules
    return latest


def below(categories: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Prefixes for `within`: a trailing slash makes `food` match `food/cake` and not `foodstuff`."""
    return None if categories is None else tuple(category + "/" for category in categories)


def within(category: str | None, prefixes: tuple[str, ...]) -> bool:
    return category is not None and (category + "/").startswith(prefixes)


def _checks(when: When) -> Iterable[Check]:
    if (channels := when.channels) is not None:
        yield lambda occasion: occasion.channel in channels
    if (stores := when.stores) is not None:
        yield lambda occasion: occasion.store in stores
    if (partners := when.partners) is not None:
        yield lambda occasion: occasion.partner in partners
    if (tiers := when.tiers) is not None:
        yield lambda occasion: occasion.tier in tiers
    if (weekdays := when.weekdays) is not None:
        yield lambda occasion: occasion.store_local.weekday() in weekdays
    if (hours := when.hours) is not None:
        yield lambda occasion: _in_hours(occasion.store_local.time(), *hours)
    if (dates := when.dates) is not None:
        yield lambda occasion: dates[0] <= occasion.local.date() < dates[1]


def _in_hours(at: time, start: time, end: time) -> bool:
    return start <= at < end if start <= end else at >= start or at < end


def _stamp(rule: Rule, unit: Unit, zone: ZoneInfo) -> Callable[[datetime], str]:
    validity = rule.expires or unit.validity
    pending = rule.pending

    def lot(local: datetime) -> str:
        activation = None if pending is None else add(local, pending.after, zone)
        from_activation = activation is not None and pending is not None and pending.validity_from == "activation"
        starts_at = activation if from_activation and activation is not None else local
        return lot_id(unit.id, expires_at(starts_at, validity, zone), activation)

    if pending is not None or _depends_on_clock(validity):
        return lot
    of_day = lru_cache(maxsize=STAMPS_REMEMBERED)(lambda day: lot(datetime.combine(day, time(), zone)))
    return lambda local: of_day(local.date())


def _depends_on_clock(validity: Validity) -> bool:
    return validity.after is not None and (validity.round == "none" or validity.after.seconds > 0)
