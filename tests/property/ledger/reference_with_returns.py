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


@dataclass
class Sold:
    """A sale with what is left of it, the tier that counts, and what of the bonus its day had left for it."""

    at: datetime
    left: int
    tier: str | None
    room: int
    base: int
    bonus: int
    stars: int
    is_voided: bool = False
    issued: dict[str, int] = field(default_factory=dict)
    returns: dict[str, int] = field(default_factory=dict)

    def given(self) -> list[Given]:
        return [
            Given("points", self.base + self.bonus, self.at, end_of_month_in_a_year(self.at)),
            Given("stars", self.stars, self.at + timedelta(days=14), self.at + timedelta(days=30)),
        ]


@dataclass
class ReferenceLedger:
    """The programme of the state machine, in plain arithmetic.

    `points`: 1 per 100, by half more for gold; a bonus of 1 per 100, at most 120 a day; both until the month ends in
    which a year has passed. `stars`: 2 per 100, pending for 14 days, gone 30 days after the sale. A review: 20 points
    for ever. Nothing is ever spent, so what comes back is always found.
    """

    reviews: list[Given] = field(default_factory=list)
    sales: dict[str, Sold] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    tiers: list[tuple[datetime, str | None]] = field(default_factory=list)
    bonus_of_day: dict[tuple[int, int, int], int] = field(default_factory=dict)
    ever_issued: dict[str, int] = field(default_factory=dict)

    @property
    def given(self) -> list[Given]:
        return [*self.reviews, *(given for sold in self.sales.values() for given in sold.given())]

    @property
    def purchases(self) -> int:
        return len(self.sales)

    def purchase(self, event: str, content: str, amount: int, at: datetime) -> str:
        if event in self.seen:
            return "duplicate" if self.seen[event] == content else "conflict"
        self.seen[event] = content
        tier, room = self.tier(at), 120 - self.bonus_of_day.get(day_of(at), 0)
        sold = self.sales[event] = Sold(at, amount, tier, room, 0, 0, 0)
        self.judge(sold)
        return "first"

    def bring_back(self, event: str, sale: str, amount: int) -> str:
        if event in self.seen:
            return "duplicate"
        self.seen[event] = ""
        sold = self.sales[sale]
        sold.returns[event] = amount
        sold.left -= amount
        self.judge(sold, takes=True)
        return "first"

    def void_sale(self, event: str, sale: str) -> str:
        if event in self.seen:
            return "duplicate"
        self.seen[event] = ""
        self.sales[sale].is_voided = True
        self.judge(self.sales[sale], takes=True)
        return "first"

    def void_return(self, event: str, sale: str, returned: str) -> str:
        if event in self.seen:
            return "duplicate"
        self.seen[event] = ""
        sold = self.sales[sale]
        if returned in sold.returns:
            sold.left += sold.returns.pop(returned)
            self.judge(sold)
        return "first"

    def judge(self, sold: Sold, *, takes: bool = False) -> None:
        left = 0 if sold.is_voided else sold.left
        day = day_of(sold.at)
        others = self.bonus_of_day.get(day, 0) - sold.bonus
        sold.base = left * 3 // 200 if sold.tier == "gold" else left // 100
        # A return takes and never gives, even where the day's bonus has room again.
        sold.bonus = min(left // 100, sold.room, sold.bonus if takes else max(120 - others, sold.bonus))
        sold.stars = left // 50
        self.bonus_of_day[day] = others + sold.bonus
        # What comes back to a sale is what was taken from it; only what goes beyond that is new.
        self.issue_for(sold, "points", sold.base + sold.bonus - sold.issued.get("points", 0))
        self.issue_for(sold, "stars", sold.stars - sold.issued.get("stars", 0))

    def issue_for(self, sold: Sold, unit: str, points: int) -> None:
        if points > 0:
            sold.issued[unit] = sold.issued.get(unit, 0) + points
            self.issue(unit, points)

    def issue(self, unit: str, points: int) -> None:
        self.ever_issued[unit] = self.ever_issued.get(unit, 0) + points

    def review(self, event: str, at: datetime) -> str:
        if event in self.seen:
            return "duplicate"
        self.seen[event] = ""
        self.reviews.append(Given("points", 20, at, None))
        self.issue("points", 20)
        return "first"

    def change_tier(self, since: datetime, tier: str | None) -> None:
        self.tiers.append((since, tier))
        for sold in self.sales.values():
            if sold.at >= since and self.tier(sold.at) == "gold" and sold.tier != "gold":
                self.correct(sold)

    def correct(self, sold: Sold) -> None:
        """A correction is new altogether, whatever was taken from the sale before."""
        was, had = sold.base + sold.bonus, sold.issued.get("points", 0)
        sold.tier = "gold"
        self.judge(sold)
        self.issue_for(sold, "points", had + sold.base + sold.bonus - was - sold.issued.get("points", 0))
        if sold.base + sold.bonus == was:
            sold.tier = None

    def tier(self, at: datetime) -> str | None:
        found: str | None = None
        latest: datetime | None = None
        for since, tier in self.tiers:
            if since <= at and (latest is None or since >= latest):
                found, latest = tier, since
        return found

    def issued(self, unit: str) -> int:
        return self.ever_issued.get(unit, 0)

    def taken_back(self, unit: str) -> int:
        return self.issued(unit) - sum(given.points for given in self.given if given.unit == unit)

    def pending(self, unit: str, now: datetime) -> int:
        return sum(g.points for g in self.given if g.unit == unit and now < g.active_from and not is_past(g, now))

    def available(self, unit: str, now: datetime) -> int:
        return sum(g.points for g in self.given if g.unit == unit and g.active_from <= now and not is_past(g, now))

    def expired(self, unit: str, now: datetime) -> int:
        return sum(given.points for given in self.given if given.unit == unit and is_past(given, now))


def day_of(at: datetime) -> tuple[int, int, int]:
    local = at + SHANGHAI
    return local.year, local.month, local.day


def is_past(given: Given, now: datetime) -> bool:
    return given.until is not None and given.until <= now


def end_of_month_in_a_year(at: datetime) -> datetime:
    local = at + SHANGHAI
    year, month = (local.year + 1, local.month + 1) if local.month < 12 else (local.year + 2, 1)
    return datetime(year, month, 1, tzinfo=at.tzinfo) - SHANGHAI
