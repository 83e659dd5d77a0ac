"""What the service is asked to do, on ports: the members' states, the directory of identities, the vault."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.members.domain import decisions
from services.members.domain.birthday import Birthday
from services.members.domain.member import Channel, Consent, Identity, IdentityKind, Member, Purpose
from services.members.domain.refusals import IdentityTaken


class UnknownMember(Exception):
    """Nobody has this member id."""


@dataclass(frozen=True, slots=True)
class IdentityValue:
    """An identity with its normalised value: personal, never logged or published."""

    kind: IdentityKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """What the vault keeps beside the identities; None = not known."""

    name: str | None = field(default=None, repr=False)
    birth_year: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Author:
    """Who asked for a change, why, and when we heard of it."""

    principal: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """A yes or a no, with what proves it (who asked, which wording, where); the proof is personal."""

    purpose: Purpose
    channel: Channel
    granted: bool
    proof: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Registration:
    """`number` is the member number to give, drawn by the edge like the id."""

    member_id: UUID
    number: str = field(repr=False)
    identities: tuple[IdentityValue, ...]
    person: Person
    locale: str
    time_zone: str | None
    birthday: Birthday | None
    consents: tuple[ConsentGiven, ...]


@dataclass(frozen=True, slots=True)
class ProfileWish:
    """Fields that are in `named` are set, to None too; the others stay. Names: name locale time_zone birthday."""

    named: frozenset[str]
    name: str | None = field(default=None, repr=False)
    locale: str | None = None
    time_zone: str | None = None
    birthday: Birthday | None = None
    birth_year: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ContactAnswer:
    """What decides at the moment of sending: read in one snapshot."""

    member: Member
    consent: bool
    address: str | None = field(repr=False)
    name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Personal:
    """Everything the vault knows of one member."""

    person: Person
    identities: Mapping[Identity, str] = field(repr=False)


class Members(Protocol):
    """The members' states and their history."""

    async def find(self, member_id: UUID) -> Member | None: ...

    async def locked(self, member_id: UUID) -> Member | None:
        """The member, whose row nobody else changes until the transaction ends."""
        ...

    async def record(self, member: Member, kind: str, author: Author) -> None:
        """Appends the version, moves the member to it, and puts it in line for publication."""
        ...


class Directory(Protocol):
    """Who has which identity: each one belongs to one member at most."""

    def digest(self, identity: IdentityValue) -> Identity: ...

    async def take(self, member_id: UUID, identities: Sequence[Identity]) -> Sequence[Identity]:
        """Gives the member those that are free, waiting for whoever is taking one now; returns what others have."""
        ...

    async def release(self, member_id: UUID, identities: Sequence[Identity]) -> None: ...

    async def holder(self, identity: Identity) -> UUID | None: ...


class Vault(Protocol):
    """Personal data, sealed under a key of each member's own; a lost key reads as nothing known."""

    async def keep_person(self, member_id: UUID, person: Person) -> None: ...

    async def person(self, member_id: UUID) -> Person: ...

    async def keep_identities(self, member_id: UUID, values: Mapping[Identity, str]) -> None: ...

    async def identities(self, member_id: UUID) -> Mapping[Identity, str]: ...

    async def drop_identities(self, member_id: UUID, identities: Sequence[Identity]) -> None: ...

    async def keep_proofs(
        self, member_id: UUID, version: int, consents: Sequence[ConsentGiven], at: datetime
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """The three ports over one transaction, with the use cases that need them together."""

    members: Members
    directory: Directory
    vault: Vault

    async def register(self, wish: Registration, author: Author) -> Member:
        """Identities first: of two registrations of one card, the second waits here and sees the first."""
        own = (IdentityValue("member", str(wish.member_id)), IdentityValue("member", wish.number))
        values = self._digested((*own, *wish.identities))
        member = decisions.register(_joining(wish, tuple(values), author.at), author.at)
        await self._take(member.member_id, tuple(values))
        await self.members.record(member, "registered", author)
        await self.vault.keep_identities(member.member_id, values)
        await self.vault.keep_person(member.member_id, wish.person)
        await self.vault.keep_proofs(member.member_id, member.version, wish.consents, author.at)
        return member

    async def hold(self, member_id: UUID) -> None:
        """Until the transaction ends nobody else changes the member."""
        await self._locked(member_id)

    async def change_profile(self, member_id: UUID, wish: ProfileWish, author: Author) -> Member:
        member = await self._locked(member_id)
        known = await self.vault.person(member_id)
        person = Person(
            name=wish.name if "name" in wish.named else known.name,
            birth_year=wish.birth_year if "birthday" in wish.named else known.birth_year,
        )
        changed = decisions.change_profile(member, _profile(member, wish, personal=person != known), author.at)
        if person != known:
            await self.vault.keep_person(member_id, person)
        return await self._recorded(member, changed, "profile_changed", author)

    async def add_identities(self, member_id: UUID, given: Sequence[IdentityValue], author: Author) -> Member:
        # The member before its identities, as in every change: then no two requests wait for each other.
        member = await self._locked(member_id)
        values = self._digested(given)
        await self._take(member_id, tuple(values))
        changed = decisions.add_identities(member, tuple(values), author.at)
        await self.vault.keep_identities(member_id, values)
        return await self._recorded(member, changed, "identities_added", author)

    async def remove_identity(self, member_id: UUID, given: IdentityValue, author: Author) -> Member:
        identity = self.directory.digest(given)
        member = await self._locked(member_id)
        changed = decisions.remove_identity(member, identity, author.at)
        await self.directory.release(member_id, [identity])
        await self.vault.drop_identities(member_id, [identity])
        return await self._recorded(member, changed, "identity_removed", author)

    async def give_consents(self, member_id: UUID, given: Sequence[ConsentGiven], author: Author) -> Member:
        member = await self._locked(member_id)
        changed = decisions.give_consents(member, _consents(given, author.at), author.at)
        await self.vault.keep_proofs(member_id, changed.version, given, author.at)
        return await self._recorded(member, changed, "consents_given", author)

    async def block(self, member_id: UUID, author: Author) -> Member:
        return await self._with_status(member_id, decisions.block, "blocked", author)

    async def unblock(self, member_id: UUID, author: Author) -> Member:
        return await self._with_status(member_id, decisions.unblock, "unblocked", author)

    async def close(self, member_id: UUID, author: Author) -> Member:
        member = await self._locked(member_id)
        changed = decisions.close(member, author.at)
        if changed is not member:
            await self.directory.release(member_id, member.identities)
            await self.vault.drop_identities(member_id, member.identities)
        return await self._recorded(member, changed, "closed", author)

    async def show(self, member_id: UUID) -> Member:
        return _here(await self.members.find(member_id))

    async def personal(self, member_id: UUID) -> Personal:
        return Personal(await self.vault.person(member_id), await self.vault.identities(member_id))

    async def look_up(self, given: IdentityValue) -> UUID | None:
        return await self.directory.holder(self.directory.digest(given))

    async def contact(self, member_id: UUID, purpose: Purpose, channel: Channel) -> ContactAnswer:
        member = _here(await self.members.find(member_id))
        if member.is_gone:
            return ContactAnswer(member, consent=False, address=None, name=None)
        person = await self.vault.person(member_id)
        address = await self._address(member, channel)
        return ContactAnswer(member, member.consents_to(purpose, channel), address, person.name)

    async def _address(self, member: Member, channel: Channel) -> str | None:
        kind = _ADDRESS_KINDS.get(channel)
        if kind is None:
            return str(member.member_id)
        values = await self.vault.identities(member.member_id)
        found = (values[identity] for identity in member.identities if identity.kind == kind and identity in values)
        return next(found, None)

    async def _with_status(
        self, member_id: UUID, decide: Callable[[Member, datetime], Member], kind: str, author: Author
    ) -> Member:
        member = await self._locked(member_id)
        return await self._recorded(member, decide(member, author.at), kind, author)

    async def _recorded(self, before: Member, after: Member, kind: str, author: Author) -> Member:
        if after is not before:
            await self.members.record(after, kind, author)
        return after

    async def _locked(self, member_id: UUID) -> Member:
        return _here(await self.members.locked(member_id))

    async def _take(self, member_id: UUID, identities: tuple[Identity, ...]) -> None:
        taken = await self.directory.take(member_id, identities)
        if taken:
            raise IdentityTaken(kind=taken[0].kind)

    def _digested(self, given: Sequence[IdentityValue]) -> dict[Identity, str]:
        return {self.directory.digest(identity): identity.value for identity in given}


# A webhook has one receiver for all; it knows the member by id.
_ADDRESS_KINDS: Mapping[Channel, IdentityKind] = {"email": "email", "sms": "phone", "app": "app"}


def _here(member: Member | None) -> Member:
    if member is None:
        raise UnknownMember
    return member


def _joining(wish: Registration, identities: tuple[Identity, ...], at: datetime) -> decisions.Joining:
    return decisions.Joining(
        member_id=wish.member_id,
        identities=identities,
        locale=wish.locale,
        time_zone=wish.time_zone,
        birthday=wish.birthday,
        consents=_consents(wish.consents, at),
    )


def _profile(member: Member, wish: ProfileWish, *, personal: bool) -> decisions.ProfileChange:
    return decisions.ProfileChange(
        locale=wish.locale or member.locale,
        time_zone=wish.time_zone if "time_zone" in wish.named else member.time_zone,
        birthday=wish.birthday if "birthday" in wish.named else member.birthday,
        personal=personal,
    )


def _consents(given: Sequence[ConsentGiven], at: datetime) -> tuple[Consent, ...]:
    return tuple(Consent(each.purpose, each.channel, each.granted, at) for each in given)
