from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class ProgrammeVersion:
    """What the door needs to know of a programme: from when it is in force, its currency, and how long it waits."""

    version: int
    starts_at: datetime
    currency: str
    claim_window: timedelta = timedelta(days=30)


def currency_at(versions: Sequence[ProgrammeVersion], occurred_at: datetime) -> str | None:
    """The currency of the version in force; None before the first one starts: then any currency will do."""
    version = _in_force(versions, occurred_at)
    return None if version is None else version.currency


def claim_window_at(versions: Sequence[ProgrammeVersion], at: datetime) -> timedelta | None:
    """How long a checkout waits for its member or its original; None before the first version starts."""
    version = _in_force(versions, at)
    return None if version is None else version.claim_window


def _in_force(versions: Sequence[ProgrammeVersion], at: datetime) -> ProgrammeVersion | None:
    started = [each for each in versions if each.starts_at <= at]
    return max(started, key=_number, default=None)


def _number(version: ProgrammeVersion) -> int:
    return version.version
