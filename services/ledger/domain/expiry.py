"""How long points last: ISO 8601 durations in the programme's zone, rounded to the first instant after a period."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

PeriodEnd = Literal["none", "end_of_day", "end_of_month", "end_of_quarter", "end_of_half_year", "end_of_year"]

_MONTHS_OF_PERIOD = {"end_of_month": 1, "end_of_quarter": 3, "end_of_half_year": 6, "end_of_year": 12}
_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and days count on the calendar of a zone, seconds on the clock."""

    months: int = 0
    days: int = 0
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Validity:
    """Points last `after` their start, up to the end of the period that this falls in; `after` None = for ever."""

    after: Duration | None = None
    round: PeriodEnd = "none"


def parse_duration(text: str) -> Duration:
    """Reads `P12M`, `P1Y6M`, `P2W`, `PT15M`; ValueError for anything else, fractions and signs included."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"not an ISO 8601 duration: {text!r}")
    part = {name: int(value or 0) for name, value in found.groupdict().items()}
    return Duration(
        months=part["years"] * 12 + part["months"],
        days=part["weeks"] * 7 + part["days"],
        seconds=part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"],
    )


def add(at: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    """The instant a duration later, in UTC; 31 January + P1M is the last day of February, at the same wall time."""
    local = at.astimezone(zone)
    day = _plus_months(local.date(), duration.months) + timedelta(days=duration.days)
    moved = datetime.combine(day, local.time(), zone) if day != local.date() else local
    return moved.astimezone(UTC) + timedelta(seconds=duration.seconds)


def expires_at(starts_at: datetime, validity: Validity, zone: ZoneInfo) -> datetime | None:
    """The first instant, in UTC, at which points that started then no longer count; None = never."""
    if validity.after is None:
        return None
    unrounded = add(starts_at, validity.after, zone)
    if validity.round == "none":
        return unrounded
    return _midnight(_day_after_period(unrounded.astimezone(zone).date(), validity.round), zone)


def _day_after_period(day: date, period: PeriodEnd) -> date:
    if period == "end_of_day":
        return day + timedelta(days=1)
    months = _MONTHS_OF_PERIOD[period]
    first_month = (day.month - 1) // months * months + 1
    return _plus_months(date(day.year, first_month, 1), months)


def _plus_months(day: date, months: int) -> date:
    if not months:
        return day
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
