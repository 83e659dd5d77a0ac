"""A ledger as one would write it on a page: a list of what was given, and sums over it. Shares nothing with ours."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

SHANGHAI = timedelta(hours=8)


@dataclass
class Given:
    """Points of a unit that count from `active_from` up to, not including, `until` (None = for ever)."""

    unit: str
    points: int
    active_from: datetime
    until: datetime | None
    spent: int = 0

    @property
    def left(self) -> int:
        return self.points - self.spent


@dataclass
class ReferenceLedger:
    """The programme of the state machine, in plain arithmetic.

    `points`: 1 per 100, by half more for gold; a bonus of 1 per 100, at most 120 a day; both until the month ends in
    which a year has passed. `stars`: 2 per 100, pending for 14 days, gone 30 days after the sale. A review: 20 points
    for ever.
    """

    given: list[Given] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    tiers: list[tuple[datetime, str | None]] = field(default_factory=list)
    bonus_of_day: dict[tuple[int, int, int], int] = field(default_factory=dict)
    purchases: int = 0
    redemptions: dict[str, list[tuple[Given, int]]] = field(default_factory=dict)

    def redeem(self, name: str, unit: str, points: int, now: datetime) -> bool:
        """Takes what ends first; nothing where there is not enough."""
        usable = [g for g in self.given if g.unit == unit and g.active_from <= now and not is_past(g, now)]
        if sum(given.left for given in usable) < points:
            return False
        taken = self.redemptions[name] = []
        for given in sorted(usable, key=lambda each: (each.until is None, each.until)):
            part = min(points, given.left)
            given.spent += part
            points -= part
            taken.append((given, part))
        return True

    def cancel(self, name: str) -> None:
        for given, part in self.redemptions[name]:
            given.spent -= part
        self.redemptions[name] = []

    def purchase(self, event: str, content: str, amount: int, at: datetime) -> str:
        if event in self.seen:
            return "duplicate" if self.seen[event] == content else "conflict"
        self.seen[event] = content
        self.purchases += 1
        base = amount * 3 // 200 if self.tier(at) == "gold" else amount // 100
        self.given.append(Given("points", base + self.bonus(amount, at), at, end_of_month_in_a_year(at)))
        self.given.append(Given("stars", amount // 50, at + timedelta(days=14), at + timedelta(days=30)))
        return "first"

    def review(self, event: str, at: datetime) -> str:
        if event in self.seen:
            return "duplicate"
        self.seen[event] = ""
        self.given.append(Given("points", 20, at, None))
        return "first"

    def change_tier(self, since: datetime, tier: str | None) -> None:
        self.tiers.append((since, tier))

    def tier(self, at: datetime) -> str | None:
        found: str | None = None
        latest: datetime | None = None
        for since, tier in self.tiers:
            if since <= at and (latest is None or since >= latest):
                found, latest = tier, since
        return found

    def bonus(self, amount: int, at: datetime) -> int:
        day = (at + SHANGHAI).timetuple()[:3]
        used = self.bonus_of_day.get(day, 0)
        bonus = min(amount // 100, 120 - used)
        self.bonus_of_day[day] = used + bonus
        return bonus

    def issued(self, unit: str) -> int:
        return sum(given.points for given in self.given if given.unit == unit)

    def spent(self, unit: str) -> int:
        return sum(given.spent for given in self.given if given.unit == unit)

    def pending(self, unit: str, now: datetime) -> int:
        return sum(g.points for g in self.given if g.unit == unit and now < g.active_from and not is_past(g, now))

    def available(self, unit: str, now: datetime) -> int:
        return sum(g.left for g in self.given if g.unit == unit and g.active_from <= now and not is_past(g, now))

    def expired(self, unit: str, now: datetime) -> int:
        return sum(given.left for given in self.given if given.unit == unit and is_past(given, now))


def is_past(given: Given, now: datetime) -> bool:
    return given.until is not None and given.until <= now


def end_of_month_in_a_year(at: datetime) -> datetime:
    local = at + SHANGHAI
    year, month = (local.year + 1, local.month + 1) if local.month < 12 else (local.year + 2, 1)
    return datetime(year, month, 1, tzinfo=at.tzinfo) - SHANGHAI
