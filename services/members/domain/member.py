"""A member without anything that names the person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.members.domain.birthday import Birthday

Status = Literal["active", "blocked", "closed", "erased"]
Purpose = Literal["marketing", "service"]
Channel = Literal["email", "sms", "webhook", "app"]
IdentityKind = Literal["member", "card", "phone", "email", "app", "wechat", "external"]

IDENTITIES_MAX = 50


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to recognise a member: its kind, and the keyed digest (32 bytes) that stands for the value."""

    kind: IdentityKind
    digest: bytes


@dataclass(frozen=True, slots=True)
class Consent:
    purpose: Purpose
    channel: Channel
    granted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """The state after `version` changes; `identities` stand in the order in which they were added."""

    member_id: UUID
    version: int
    status: Status
    joined_at: datetime
    recorded_at: datetime
    locale: str
    time_zone: str | None = None
    birthday: Birthday | None = None
    identities: tuple[Identity, ...] = ()
    consents: tuple[Consent, ...] = ()

    @property
    def is_gone(self) -> bool:
        return self.status in ("closed", "erased")

    def consents_to(self, purpose: Purpose, channel: Channel) -> bool:
        """Marketing needs a yes; a service message needs that nobody said no."""
        if self.is_gone:
            return False
        given = {(consent.purpose, consent.channel): consent.granted for consent in self.consents}
        return given.get((purpose, channel), purpose == "service")
