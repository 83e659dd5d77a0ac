"""The days whose birthdays are looked after: every one of them is swept once, and again by a newer programme."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.notifier.domain.celebrations import Reign

# A day has begun somewhere, and has not ended elsewhere, on three days of UTC.
DAYS_AROUND = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Watch:
    """From the first day ever looked after to the last, by the newest `version` then known."""

    first_day: date
    last_day: date
    version: int


def widened(watch: Watch | None, reigns: Sequence[Reign], *, now: datetime, horizon: timedelta) -> Watch:
    """The watch as it should be: nothing before its first day becomes an occasion, however long ago the programme
    began."""
    campaigns = [campaign for reign in reigns for campaign in reign.rules.birthdays]
    farthest = max((campaign.days_before for campaign in campaigns), default=0)
    last_day = (now + horizon + DAYS_AROUND).date() + timedelta(days=farthest)
    version = max(reign.rules.version for reign in reigns)
    if watch is None:
        return Watch((now - DAYS_AROUND).date(), last_day, version)
    return Watch(watch.first_day, max(watch.last_day, last_day), max(watch.version, version))


def first_to_sweep(watch: Watch | None, wanted: Watch, reigns: Sequence[Reign], *, now: datetime) -> date:
    """From here to the last day of `wanted`, members must be looked at."""
    if watch is None:
        return wanted.first_day
    new = [reign.starts_at for reign in reigns if reign.rules.version > watch.version]
    next_day = watch.last_day + timedelta(days=1)
    if not new:
        return next_day
    return max(watch.first_day, min(next_day, (min(now, *new) - DAYS_AROUND).date()))
