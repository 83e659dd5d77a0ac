"""What may be asked, checked to the last field: every fault has its pointer, and no message quotes a value."""

import unicodedata
from datetime import date
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.base import Code, Locale
from schemas.checkouts import TimeZone
from schemas.members import Calendar, MessageChannel, Purpose
from services.members.application import ConsentGiven, IdentityValue, ProfileWish
from services.members.domain.birthday import Birthday, days_in_month
from services.members.domain.member import IDENTITIES_MAX
from services.runtime.digests import DEFAULT_REGION, normalise
from services.runtime.http.problem import Fault, fault, invalid

NAME_CHARACTERS_MAX = 100
CONSENTS_MAX = 8
PROOF_FIELDS_MAX = 20
PROOF_CHARACTERS_MAX = 500
_JOINERS = "\u200c\u200d"

GivenKind = Literal["card", "phone", "email", "app", "wechat", "external"]
AnyKind = Literal["member", "card", "phone", "email", "app", "wechat", "external"]


def region_of(locale: str | None) -> str:
    """The country whose local phone numbers a locale's speaker writes."""
    last = (locale or "").rpartition("-")[2]
    return last if len(last) == 2 and last.isupper() else DEFAULT_REGION


def _is_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    if any(unicodedata.category(each)[0] == "C" and each not in _JOINERS for each in name):
        raise PydanticCustomError("name_characters", "a name has no control or invisible characters")
    if not any(each.isalpha() for each in name):
        raise PydanticCustomError("name_without_letters", "a name has at least one letter")
    return name


def _at(place: str, code: LiteralString, message: LiteralString) -> ValidationError:
    error = InitErrorDetails(type=PydanticCustomError(code, message), loc=(place,), input=None)
    return ValidationError.from_exception_data("request", [error], hide_input=True)


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_CHARACTERS_MAX),
    AfterValidator(_is_name),
]
Proof = dict[Code, Annotated[str, StringConstraints(min_length=1, max_length=PROOF_CHARACTERS_MAX)]]


class Request(BaseModel):
    """A misspelt field is a fault: a birthday must not get lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class IdentityGiven(Request):
    kind: AnyKind
    value: Annotated[str, StringConstraints(min_length=1, max_length=254)]

    def normalised(self, region: str) -> IdentityValue:
        try:
            return IdentityValue(self.kind, normalise(self.kind, self.value, region))
        except ValueError:
            raise _at("value", "identity_invalid", _INVALID[self.kind]) from None


class OwnIdentityGiven(IdentityGiven):
    """An identity that a member brings; the member number is given by us."""

    kind: GivenKind


class BirthdayGiven(Request):
    calendar: Calendar = "gregorian"
    month: Annotated[int, Field(strict=True, ge=1, le=12)]
    day: Annotated[int, Field(strict=True, ge=1, le=31)]
    leap_month: bool = False
    year: Annotated[int, Field(strict=True, ge=1900, le=2200)] | None = None

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.day > days_in_month(self.calendar, self.month, self.year):
            raise _at("day", "no_such_day", "the month does not have that many days in this calendar and year")
        if self.leap_month and self.calendar != "lunar":
            raise _at("leap_month", "leap_month_not_lunar", "only the lunar calendar has leap months")
        return self

    def has_come(self, today: date) -> bool:
        """Whether somebody can be born on it; a lunar date is later than the same numbers of the other calendar."""
        return self.year is None or (self.year, self.month, self.day) <= (today.year, today.month, today.day)

    def without_year(self) -> Birthday:
        return Birthday(self.calendar, self.month, self.day, self.leap_month)


class ConsentAsked(Request):
    purpose: Purpose
    channel: MessageChannel
    granted: Annotated[bool, Field(strict=True)]
    proof: Annotated[Proof, Field(max_length=PROOF_FIELDS_MAX)] = {}

    def given(self) -> ConsentGiven:
        return ConsentGiven(self.purpose, self.channel, self.granted, self.proof)


class ConsentProven(ConsentAsked):
    """A yes that comes later than the registration says how it was given."""

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if self.granted and not self.proof:
            raise _at("proof", "missing", "a consent says how it was given, for example source and wording")
        return self


def _each_once(consents: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({(each.purpose, each.channel) for each in consents}) != len(consents):
        raise PydanticCustomError("consent_repeated", "each purpose and channel is said once")
    return consents


# A minimum length would count the items that passed, and so add a fault of its own to each faulty item.
def _at_least_one(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not items:
        raise PydanticCustomError("too_short", "name at least one")
    return items


def _fault_of(error: ValidationError, base: str) -> Fault:
    first = error.errors(include_input=False)[0]
    return fault("/".join([base, *map(str, first["loc"])]), first["type"], first["msg"])


def _readable(identity: IdentityGiven, info: ValidationInfo) -> IdentityGiven:
    identity.normalised(region_of(info.data.get("locale")))
    return identity


# `locale` stands first: what a local phone number means depends on it.
class RegistrationAsked(Request):
    locale: Locale = "zh-CN"
    identities: Annotated[
        tuple[Annotated[OwnIdentityGiven, AfterValidator(_readable)], ...], Field(max_length=IDENTITIES_MAX - 2)
    ] = ()
    name: Name | None = None
    time_zone: TimeZone | None = None
    birthday: BirthdayGiven | None = None
    consents: Annotated[tuple[ConsentAsked, ...], Field(max_length=CONSENTS_MAX), AfterValidator(_each_once)] = ()


class IdentitiesAsked(Request):
    """Identities to add; local phone numbers are those of the member's locale."""

    identities: Annotated[tuple[OwnIdentityGiven, ...], Field(max_length=IDENTITIES_MAX), AfterValidator(_at_least_one)]

    def normalised(self, locale: str) -> tuple[IdentityValue, ...]:
        """Raises Problem 422 with the pointer of every value that is none of its kind."""
        values: list[IdentityValue] = []
        faults: list[Fault] = []
        for index, identity in enumerate(self.identities):
            try:
                values.append(identity.normalised(region_of(locale)))
            except ValidationError as error:
                faults += [_fault_of(error, f"/identities/{index}")]
        if faults:
            raise invalid(faults)
        return tuple(values)


class IdentityToRemove(IdentityGiven):
    def identity(self, locale: str) -> IdentityValue:
        try:
            return self.normalised(region_of(locale))
        except ValidationError as error:
            raise invalid([_fault_of(error, "")]) from None


class IdentityToFind(IdentityGiven):
    """`locale` tells whose local phone numbers are meant."""

    locale: Locale | None = None

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        self.identity()
        return self

    def identity(self) -> IdentityValue:
        return self.normalised(region_of(self.locale))


class ProfileAsked(Request):
    """What is left out stays; null takes a name, zone or birthday away."""

    name: Name | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None
    birthday: BirthdayGiven | None = None

    @field_validator("locale")
    @classmethod
    def _stays_known(cls, locale: str | None) -> str:
        if locale is None:
            raise PydanticCustomError("locale_missing", "a member always has a locale")
        return locale

    def wish(self) -> ProfileWish:
        return ProfileWish(
            named=frozenset(self.model_fields_set),
            name=self.name,
            locale=self.locale,
            time_zone=self.time_zone,
            birthday=self.birthday.without_year() if self.birthday else None,
            birth_year=self.birthday.year if self.birthday else None,
        )


class ConsentsAsked(Request):
    consents: Annotated[
        tuple[ConsentProven, ...],
        Field(max_length=CONSENTS_MAX),
        AfterValidator(_each_once),
        AfterValidator(_at_least_one),
    ]


class StatusAsked(Request):
    """Why a status changes, as a code: words of a person's own would be personal data."""

    reason: Code | None = None


_INVALID: dict[str, LiteralString] = {
    "member": "a member is named by the id or the twelve-digit member number",
    "card": "a card number has 1 to 254 letters or digits",
    "phone": "not a phone number that its country could have given; write it with + and country code",
    "email": "not an e-mail address",
    "app": "an app id has 1 to 254 characters, none of them control characters",
    "wechat": "a WeChat openid has 1 to 254 characters, none of them control characters",
    "external": "an external id has 1 to 254 characters, none of them control characters",
}
