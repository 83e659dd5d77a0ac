"""Published versions: when each starts, and what refuses another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Version:
    """`appended_at` is when the topic took the record, None until it was read back from there."""

    number: int
    effective_from: datetime
    published_at: datetime
    published_by: str
    appended_at: datetime | None = None

    def starts_at(self, lead: timedelta) -> datetime:
        """Exact once appended; before that, the earliest instant that it can be."""
        # Nothing was decided before the first version, so it may reach back over sales that were already made.
        if self.number == 1:
            return self.effective_from
        return max(self.effective_from, (self.appended_at or self.published_at) + lead)


class VersionReplaced(Exception):
    """Another version is the newest by now; the author must look at it first."""

    def __init__(self, *, replaces: int, newest: int) -> None:
        state = f"version {newest} is the newest" if newest else "no version is published yet"
        super().__init__(f"{state}, so {newest} is what the next one replaces, not {replaces}")
        self.replaces = replaces
        self.newest = newest


def in_force(versions: Iterable[Version], at: datetime, lead: timedelta) -> Version | None:
    """The highest-numbered version whose start is not after `at`."""
    started = (version for version in versions if version.starts_at(lead) <= at)
    return max(started, key=lambda version: version.number, default=None)
