"""ISO 8601 durations on a calendar: months clip, and a rounding ends at the first instant after its period."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

_FORM = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_ROUNDED_MONTHS = {"end_of_month": 1, "end_of_quarter": 3, "end_of_half_year": 6, "end_of_year": 12}
MONTHS_MAX = 12 * 1000
SECONDS_MAX = 1000 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class Duration:
    """Whole months and a rest in seconds, which never convert into each other."""

    text: str
    months: int
    seconds: int

    @property
    def is_nothing(self) -> bool:
        return not self.months and not self.seconds


def parse(text: str) -> Duration:
    """Raises ValueError for what is no duration, and for one beyond a thousand years."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no ISO 8601 duration")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    months = part["years"] * 12 + part["months"]
    days = part["weeks"] * 7 + part["days"]
    seconds = days * 86_400 + part["hours"] * 3600 + part["minutes"] * 60 + part["seconds"]
    if months > MONTHS_MAX or seconds > SECONDS_MAX:
        raise ValueError(f"{text!r} is longer than a thousand years")
    return Duration(text, months, seconds)


def after(local: datetime, duration: Duration) -> datetime:
    """31 January + P1M is the last day of February."""
    return plus_months(local, duration.months) + timedelta(seconds=duration.seconds)


def rounded(local: datetime, rounding: str) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if rounding == "none":
        return local
    if rounding == "end_of_day":
        return midnight + timedelta(days=1)
    months = _ROUNDED_MONTHS[rounding]
    first = midnight.replace(month=(local.month - 1) // months * months + 1, day=1)
    return plus_months(first, months)


def plus_months(local: datetime, months: int) -> datetime:
    count = local.year * 12 + local.month - 1 + months
    year, month = count // 12, count % 12 + 1
    return local.replace(year=year, month=month, day=min(local.day, monthrange(year, month)[1]))
