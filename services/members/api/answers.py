"""What is answered: without a word that names the person, unless the key may read it."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.base import Instant
from schemas.checkouts import IdentityKind
from schemas.members import Calendar, Contact, MessageChannel, Purpose, Status
from services.members.application import ContactAnswer, Personal
from services.members.domain.member import Member


class Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class ConsentAnswer(Answer):
    purpose: Purpose
    channel: MessageChannel
    granted: bool
    at: Instant


class Receipt(Answer):
    """The state after a write; kept for the Idempotency-Key, so nothing in it is personal."""

    member_id: UUID
    joined_at: Instant
    version: int
    status: Status
    consents: tuple[ConsentAnswer, ...]


class BirthdayAnswer(Answer):
    calendar: Calendar
    month: int
    day: int
    leap_month: bool


class IdentityAnswer(Answer):
    kind: IdentityKind


class MemberAnswer(Receipt):
    recorded_at: Instant
    locale: str
    time_zone: str | None
    birthday: BirthdayAnswer | None
    identities: tuple[IdentityAnswer, ...]


class IdentityInFull(IdentityAnswer):
    """`value` is null where the vault was lost and only the digest is left."""

    value: str | None


class PersonalAnswer(Answer):
    name: str | None
    birth_year: int | None
    identities: tuple[IdentityInFull, ...]


class PersonAnswer(MemberAnswer):
    """`personal` is null for keys without the scope `members:personal`."""

    personal: PersonalAnswer | None = None


class Found(Answer):
    member_id: UUID


def person_answer(member: Member, personal: Personal | None) -> PersonAnswer:
    answer = PersonAnswer.model_validate(member)
    return answer if personal is None else answer.model_copy(update={"personal": _personal(member, personal)})


def contact_answer(answer: ContactAnswer) -> Contact:
    member = answer.member
    return Contact(
        member_id=str(member.member_id),
        status=member.status,
        consent=answer.consent,
        address=answer.address,
        locale=member.locale,
        time_zone=member.time_zone,
        name=answer.name,
    )


def _personal(member: Member, personal: Personal) -> PersonalAnswer:
    return PersonalAnswer(
        name=personal.person.name,
        birth_year=personal.person.birth_year,
        identities=tuple(
            IdentityInFull(kind=each.kind, value=personal.identities.get(each)) for each in member.identities
        ),
    )
