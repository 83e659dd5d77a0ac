"""What the notifier keeps of a member: enough to answer who is known, nothing that names the person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from services.notifier.domain.messages import MemberId


@dataclass(frozen=True, slots=True)
class BirthdayTold:
    """Month and day as the member counts them; only the `gregorian` calendar is celebrated so far."""

    calendar: str
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class KnownMember:
    """`consents` are (purpose, channel, granted); `version` None = a tombstone, which is later than any version."""

    member_id: MemberId
    version: int | None
    status: str
    locale: str | None = None
    time_zone: str | None = None
    consents: tuple[tuple[str, str, bool], ...] = ()
    birthday: BirthdayTold | None = None
    joined_at: datetime | None = None
    recorded_at: datetime | None = None

    @classmethod
    def erased(cls, member_id: MemberId) -> Self:
        return cls(member_id, None, "erased")
