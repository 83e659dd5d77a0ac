"""On which day a birthday is celebrated, and when the hour of that day comes where the member lives."""

from bisect import bisect_left
from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

LeapDay = Literal["feb_28", "mar_1"]


@dataclass(frozen=True, slots=True)
class Birthday:
    """Month and day of the Gregorian calendar, 29 February among them."""

    month: int
    day: int

    def celebrated_in(self, year: int, leap_day: LeapDay) -> date:
        if self == LEAP_BIRTHDAY and not isleap(year):
            return date(year, 2, 28) if leap_day == "feb_28" else date(year, 3, 1)
        return date(year, self.month, self.day)


LEAP_BIRTHDAY = Birthday(2, 29)


def birthdays_on(day: date) -> tuple[Birthday, ...]:
    """Every birthday that some policy celebrates on this day."""
    on_day = Birthday(day.month, day.day)
    stands_in = not isleap(day.year) and on_day in (Birthday(2, 28), Birthday(3, 1))
    return (on_day, LEAP_BIRTHDAY) if stands_in else (on_day,)


def first_instant(day: date, at: time, zone: tzinfo) -> datetime:
    """The first instant, in UTC, at which the zone's clocks show this; where they jump over it, the first after it."""
    wanted = datetime.combine(day, at)

    def shown(instant: datetime) -> datetime:
        return instant.astimezone(zone).replace(tzinfo=None)

    # Python reads an hour that is missing by the offset before the jump or after it: the jump lies between the two.
    before, after = sorted(wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if shown(before) == wanted:
        return before
    seconds = range(int((after - before).total_seconds()) + 1)
    jump = bisect_left(seconds, True, key=lambda passed: shown(before + timedelta(seconds=passed)) > wanted)
    return before + timedelta(seconds=jump)
