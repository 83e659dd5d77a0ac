"""Topic `members` (compacted): the state of a member without anything that names the person."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract, Count, Instant, Locale, Sha256Text, UuidText
from schemas.checkouts import IdentityKind, TimeZone

MEMBER_V1 = "loyalty.member.v1"

Status = Literal["active", "blocked", "closed", "erased"]
Purpose = Literal["marketing", "service"]
MessageChannel = Literal["email", "sms", "webhook", "app"]
Calendar = Literal["gregorian", "lunar"]


class IdentityDigest(Contract):
    """HMAC-SHA-256 of an identity's kind and normalised value, under the deployment's identity key."""

    kind: IdentityKind
    digest: Sha256Text


class Birthday(Contract):
    """Month and day in the member's own calendar; never the year."""

    calendar: Calendar = "gregorian"
    month: Annotated[int, Field(strict=True, ge=1, le=12)]
    day: Annotated[int, Field(strict=True, ge=1, le=31)]
    leap_month: bool = False


class Consent(Contract):
    purpose: Purpose
    channel: MessageChannel
    granted: bool
    at: Instant


class MemberState(Contract):
    """A member as every other service may know them (CloudEvents type `loyalty.member.v1`)."""

    member_id: UuidText
    version: Count
    status: Status
    joined_at: Instant
    recorded_at: Instant
    locale: Locale = "zh-CN"
    time_zone: TimeZone | None = None
    birthday: Birthday | None = None
    identities: tuple[IdentityDigest, ...] = ()
    consents: tuple[Consent, ...] = ()


class Contact(Contract):
    """The answer to the notifier at the moment of sending: address, consent, status and zone together."""

    member_id: UuidText
    status: Status
    consent: bool
    address: str | None
    locale: Locale
    time_zone: TimeZone | None
    name: str | None = None
