"""Calendar durations: months clip at the end of the month, everything else is exact."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Duration:
    months: int = 0
    exact: timedelta = timedelta()

    def after(self, instant: datetime) -> datetime:
        years, month = divmod(instant.month - 1 + self.months, 12)
        year = instant.year + years
        day = min(instant.day, monthrange(year, month + 1)[1])
        return instant.replace(year=year, month=month + 1, day=day) + self.exact
