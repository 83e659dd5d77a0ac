from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo


@dataclass(frozen=True, slots=True)
class ClaimWindow:
    """How long a checkout waits: months on the calendar of the programme's zone, then the rest on the clock."""

    months: int = 0
    rest: timedelta = timedelta()

    def end(self, start: datetime, zone: tzinfo) -> datetime:
        """The first instant, in UTC, that is no longer in it; a month clips at the last day of a shorter one."""
        local = start.astimezone(zone)
        years, month = divmod(local.month - 1 + self.months, 12)
        year = local.year + years
        day = min(local.day, monthrange(year, month + 1)[1])
        moved = local.replace(year=year, month=month + 1, day=day) if self.months else local
        return moved.astimezone(UTC) + self.rest


@dataclass(frozen=True, slots=True)
class ProgrammeVersion:
    """What the door needs to know of a programme: from when it is in force, its currency, and how long it waits."""

    version: int
    starts_at: datetime
    currency: str
    claim_window: ClaimWindow = ClaimWindow(rest=timedelta(days=30))
    zone: tzinfo = UTC


def currency_at(versions: Sequence[ProgrammeVersion], occurred_at: datetime) -> str | None:
    """The currency of the version in force; None before the first one starts: then any currency will do."""
    version = _in_force(versions, occurred_at)
    return None if version is None else version.currency


def waits_until(versions: Sequence[ProgrammeVersion], recorded_at: datetime) -> datetime | None:
    """When what is recorded then stops waiting for its member or its original; None while no programme is known.

    Stamped when it is recorded: a later version changes the window of what comes later.
    """
    version = _in_force(versions, recorded_at) or min(versions, key=_number, default=None)
    return None if version is None else version.claim_window.end(recorded_at, version.zone)


def _in_force(versions: Sequence[ProgrammeVersion], at: datetime) -> ProgrammeVersion | None:
    started = [each for each in versions if each.starts_at <= at]
    return max(started, key=_number, default=None)


def _number(version: ProgrammeVersion) -> int:
    return version.version
