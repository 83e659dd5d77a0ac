"""From a member and a wish to the member after it, or a refusal; what changes nothing returns the member itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.members.domain.birthday import Birthday
from services.members.domain.member import IDENTITIES_MAX, Consent, Identity, Member, Status
from services.members.domain.refusals import IdentityNotHeld, MemberClosed, MemberNumberKept, TooManyIdentities


@dataclass(frozen=True, slots=True)
class Joining:
    """What a registration says, without what names the person; the member number is the first identity."""

    member_id: UUID
    identities: tuple[Identity, ...]
    locale: str
    time_zone: str | None
    birthday: Birthday | None
    consents: tuple[Consent, ...]


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """The profile as it shall be; `personal` says that something in the vault (a name, a year of birth) changes too."""

    locale: str
    time_zone: str | None
    birthday: Birthday | None
    personal: bool = False


def register(joining: Joining, at: datetime) -> Member:
    identities = _distinct(joining.identities)
    _check_room(identities)
    return Member(
        member_id=joining.member_id,
        version=1,
        status="active",
        joined_at=at,
        recorded_at=at,
        locale=joining.locale,
        time_zone=joining.time_zone,
        birthday=joining.birthday,
        identities=identities,
        consents=_merged((), joining.consents),
    )


def change_profile(member: Member, change: ProfileChange, at: datetime) -> Member:
    _check_here(member)
    wished = replace(member, locale=change.locale, time_zone=change.time_zone, birthday=change.birthday)
    return member if wished == member and not change.personal else _next(wished, at)


def add_identities(member: Member, added: Sequence[Identity], at: datetime) -> Member:
    _check_here(member)
    if any(identity.kind == "member" for identity in added):
        raise MemberNumberKept
    identities = _distinct((*member.identities, *added))
    _check_room(identities)
    return member if identities == member.identities else _next(replace(member, identities=identities), at)


def remove_identity(member: Member, removed: Identity, at: datetime) -> Member:
    _check_here(member)
    if removed.kind == "member":
        raise MemberNumberKept
    if removed not in member.identities:
        raise IdentityNotHeld(kind=removed.kind)
    left = tuple(identity for identity in member.identities if identity != removed)
    return _next(replace(member, identities=left), at)


def give_consents(member: Member, consents: Sequence[Consent], at: datetime) -> Member:
    """Always a change: that somebody said yes again, with a new proof, is worth keeping."""
    _check_here(member)
    return _next(replace(member, consents=_merged(member.consents, consents)), at)


def block(member: Member, at: datetime) -> Member:
    return _with_status(member, "blocked", at)


def unblock(member: Member, at: datetime) -> Member:
    return _with_status(member, "active", at)


def close(member: Member, at: datetime) -> Member:
    """Leaving frees the identities: a card given back may be somebody else's tomorrow."""
    if member.status == "closed":
        return member
    return _with_status(replace(member, identities=()), "closed", at)


def _with_status(member: Member, status: Status, at: datetime) -> Member:
    _check_here(member)
    return member if member.status == status else _next(replace(member, status=status), at)


def _next(member: Member, at: datetime) -> Member:
    # A clock that was set back must not make a later version look older.
    return replace(member, version=member.version + 1, recorded_at=max(at, member.recorded_at))


def _check_here(member: Member) -> None:
    if member.is_gone:
        raise MemberClosed(member_status=member.status)


def _check_room(identities: tuple[Identity, ...]) -> None:
    if len(identities) > IDENTITIES_MAX:
        raise TooManyIdentities(limit=IDENTITIES_MAX, held=len(identities))


def _distinct(identities: Sequence[Identity]) -> tuple[Identity, ...]:
    return tuple(dict.fromkeys(identities))


def _merged(known: Sequence[Consent], said: Sequence[Consent]) -> tuple[Consent, ...]:
    latest = {(consent.purpose, consent.channel): consent for consent in (*known, *said)}
    return tuple(latest[key] for key in sorted(latest))
