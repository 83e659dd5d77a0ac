"""Calendar windows over which a metric is counted, in the programme's zone."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_MONTHS = {"calendar_year": 12, "calendar_quarter": 3, "calendar_month": 1}
LIFETIME = "lifetime"
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """`[starts_at, ends_at)`; None is an open end."""

    kind: str
    starts_at: datetime | None
    ends_at: datetime | None

    def holds(self, instant: datetime) -> bool:
        begun = self.starts_at is None or self.starts_at <= instant
        return begun and (self.ends_at is None or instant < self.ends_at)


def window_at(kind: str, instant: datetime, zone: tzinfo) -> Window:
    if kind == LIFETIME:
        return Window(kind, None, None)
    months = _MONTHS[kind]
    local = instant.astimezone(zone)
    first = local.year * 12 + (local.month - 1) // months * months
    return Window(kind, _month_start(first, zone), _month_start(first + months, zone))


def window_after(window: Window, zone: tzinfo) -> Window:
    return window if window.ends_at is None else window_at(window.kind, window.ends_at, zone)


def window_before(window: Window, zone: tzinfo) -> Window:
    return window if window.starts_at is None else window_at(window.kind, window.starts_at - INSTANT, zone)


def next_day(instant: datetime, zone: tzinfo) -> datetime:
    tomorrow = instant.astimezone(zone).date() + timedelta(days=1)
    return _in_utc(datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone))


def _month_start(count: int, zone: tzinfo) -> datetime:
    return _in_utc(datetime(count // 12, count % 12 + 1, 1, tzinfo=zone))


def _in_utc(local: datetime) -> datetime:
    # Two times of one zone compare by the clock on the wall, which runs twice through an hour in autumn.
    return local.astimezone(UTC)
