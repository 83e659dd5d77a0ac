"""Which birthdays exist, in the calendar that a member keeps."""

from calendar import monthrange
from dataclasses import dataclass
from typing import Literal

Calendar = Literal["gregorian", "lunar"]

LUNAR_DAYS_MAX = 30
_ANY_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Birthday:
    """Month and day as the calendar counts them; the year is personal data and lives in the vault."""

    calendar: Calendar
    month: int
    day: int
    leap_month: bool = False


def days_in_month(calendar: Calendar, month: int, year: int | None) -> int:
    """The last day that the month can have; without a year, February has 29."""
    if calendar == "lunar":
        return LUNAR_DAYS_MAX
    return monthrange(_ANY_LEAP_YEAR if year is None else year, month)[1]
