from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProgrammeVersion:
    """What the door needs to know of a programme: from when it is in force, and its currency."""

    version: int
    starts_at: datetime
    currency: str


def currency_at(versions: Sequence[ProgrammeVersion], occurred_at: datetime) -> str | None:
    """The currency of the version in force; None before the first one starts: then any currency will do."""
    started = [each for each in versions if each.starts_at <= occurred_at]
    return max(started, key=_number).currency if started else None


def _number(version: ProgrammeVersion) -> int:
    return version.version
