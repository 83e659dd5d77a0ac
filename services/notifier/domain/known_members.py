"""What the notifier keeps of a member: enough to answer who is known, nothing that names the person."""

from dataclasses import dataclass
from typing import Self

from services.notifier.domain.messages import MemberId


@dataclass(frozen=True, slots=True)
class KnownMember:
    """`consents` are (purpose, channel, granted); `version` None = a tombstone, which is later than any version."""

    member_id: MemberId
    version: int | None
    status: str
    locale: str | None = None
    time_zone: str | None = None
    consents: tuple[tuple[str, str, bool], ...] = ()

    @classmethod
    def erased(cls, member_id: MemberId) -> Self:
        return cls(member_id, None, "erased")
