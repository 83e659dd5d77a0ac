"""The paths of the service."""

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from schemas.members import Contact, MessageChannel, Purpose
from services.members.api.answers import Found, PersonAnswer, Receipt, contact_answer, person_answer
from services.members.api.office import Asked, Asking, Office
from services.members.api.requests import (
    BirthdayGiven,
    ConsentsAsked,
    IdentitiesAsked,
    IdentityToFind,
    IdentityToRemove,
    ProfileAsked,
    RegistrationAsked,
    StatusAsked,
    region_of,
)
from services.members.application import Author, Desk, Person, Registration, UnknownMember
from services.members.domain.member import Member
from services.members.domain.numbers import member_number
from services.members.domain.refusals import (
    IdentityNotHeld,
    IdentityTaken,
    MemberClosed,
    MemberNumberKept,
    TooManyIdentities,
)
from services.runtime.errors import HaltError, Transient
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import Principal, require
from services.runtime.http.problem import Problem, fault, invalid
from services.runtime.ports import Clock

NUMBERS_DRAWN_MAX = 4
_NUMBER_BITS = 64
_PRIVATE = MappingProxyType({"Cache-Control": "no-store"})

REFUSALS: Mapping[type[Exception], RefusalMapping] = MappingProxyType(
    {
        UnknownMember: RefusalMapping(status=404, code="member_unknown"),
        IdentityTaken: RefusalMapping(),
        IdentityNotHeld: RefusalMapping(),
        MemberNumberKept: RefusalMapping(),
        TooManyIdentities: RefusalMapping(),
        MemberClosed: RefusalMapping(),
        HaltError: RefusalMapping(status=503, code="not_ready"),
    }
)


class MemberRoutes:
    """One method per path."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self._office = office
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["members"])
        member = "/members/{member_id}"
        router.add_api_route("/members", self.register, methods=["POST"], status_code=201, response_model=Receipt)
        router.add_api_route("/identities:lookup", self.look_up, methods=["POST"])
        router.add_api_route(member, self.show, methods=["GET"])
        router.add_api_route(f"{member}/contact", self.contact, methods=["GET"])
        for path, handler, method in (
            (member, self.change_profile, "PATCH"),
            (f"{member}/identities", self.add_identities, "POST"),
            (f"{member}/identities:remove", self.remove_identity, "POST"),
            (f"{member}/consents", self.give_consents, "PUT"),
            (f"{member}/block", self.block, "POST"),
            (f"{member}/unblock", self.unblock, "POST"),
            (f"{member}/close", self.close, "POST"),
        ):
            router.add_api_route(path, handler, methods=[method], response_model=Receipt)
        return router

    async def register(self, wish: RegistrationAsked, asked: Asking) -> JSONResponse:
        self._check_past(wish.birthday)
        for _ in range(NUMBERS_DRAWN_MAX):
            try:
                return await self._register(wish, asked)
            except (IdentityTaken, Transient) as refusal:
                # Two requests with one key at once: the second meets the identities that the first has just taken.
                known = await self._office.registered(asked)
                if known is not None:
                    return known
                if not (isinstance(refusal, IdentityTaken) and refusal.kind == "member"):
                    raise
        raise Problem(503, "no_member_number", detail="the member numbers drawn were all taken; repeat the request")

    async def show(
        self, member_id: UUID, response: Response, principal: Annotated[Principal, require("members:read")]
    ) -> PersonAnswer:
        response.headers.update(_PRIVATE)
        async with self._office.database.read(snapshot=True) as connection:
            desk = self._office.reading(connection)
            member = await desk.show(member_id)
            personal = await desk.personal(member_id) if principal.may("members:personal") else None
        return person_answer(member, personal)

    async def look_up(self, wish: IdentityToFind, _: Annotated[Principal, require("members:read")]) -> Found:
        async with self._office.database.read() as connection:
            holder = await self._office.reading(connection).look_up(wish.identity())
        if holder is None:
            raise Problem(404, "identity_unknown", detail="nobody has this identity", extra={"kind": wish.kind})
        return Found(member_id=holder)

    async def contact(
        self,
        member_id: UUID,
        purpose: Annotated[Purpose, Query()],
        channel: Annotated[MessageChannel, Query()],
        response: Response,
        _: Annotated[Principal, require("contacts:read")],
    ) -> Contact:
        """Address, consent, status and zone of one moment: what the sender goes by."""
        response.headers.update(_PRIVATE)
        async with self._office.database.read(snapshot=True) as connection:
            return contact_answer(await self._office.reading(connection).contact(member_id, purpose, channel))

    async def change_profile(self, member_id: UUID, wish: ProfileAsked, asked: Asking) -> JSONResponse:
        self._check_past(wish.birthday)

        async def work(desk: Desk, author: Author) -> Member:
            return await desk.change_profile(member_id, wish.wish(), author)

        return await self._office.change(asked, member_id, "profile", work)

    async def add_identities(self, member_id: UUID, wish: IdentitiesAsked, asked: Asking) -> JSONResponse:
        async def work(desk: Desk, author: Author) -> Member:
            locale = (await desk.show(member_id)).locale
            return await desk.add_identities(member_id, wish.normalised(locale), author)

        return await self._office.change(asked, member_id, "identities.add", work)

    async def remove_identity(self, member_id: UUID, wish: IdentityToRemove, asked: Asking) -> JSONResponse:
        async def work(desk: Desk, author: Author) -> Member:
            locale = (await desk.show(member_id)).locale
            return await desk.remove_identity(member_id, wish.identity(locale), author)

        return await self._office.change(asked, member_id, "identities.remove", work)

    async def give_consents(self, member_id: UUID, wish: ConsentsAsked, asked: Asking) -> JSONResponse:
        async def work(desk: Desk, author: Author) -> Member:
            return await desk.give_consents(member_id, [each.given() for each in wish.consents], author)

        return await self._office.change(asked, member_id, "consents", work)

    async def block(self, member_id: UUID, wish: StatusAsked, asked: Asking) -> JSONResponse:
        """A blocked member earns and does not spend."""

        async def work(desk: Desk, author: Author) -> Member:
            return await desk.block(member_id, author)

        return await self._office.change(asked, member_id, "block", work, wish.reason)

    async def unblock(self, member_id: UUID, wish: StatusAsked, asked: Asking) -> JSONResponse:
        async def work(desk: Desk, author: Author) -> Member:
            return await desk.unblock(member_id, author)

        return await self._office.change(asked, member_id, "unblock", work, wish.reason)

    async def close(self, member_id: UUID, wish: StatusAsked, asked: Asking) -> JSONResponse:
        """The member leaves; cards, numbers and addresses are free again."""

        async def work(desk: Desk, author: Author) -> Member:
            return await desk.close(member_id, author)

        return await self._office.change(asked, member_id, "close", work, wish.reason)

    async def _register(self, wish: RegistrationAsked, asked: Asked) -> JSONResponse:
        registration = _registration(wish)

        async def work(desk: Desk, author: Author) -> Member:
            return await desk.register(registration, author)

        return await self._office.register(asked, work)

    def _check_past(self, birthday: BirthdayGiven | None) -> None:
        if birthday is not None and not birthday.has_come(self._clock().date()):
            raise invalid([fault("/birthday/year", "birthday_in_future", "this birthday has not come yet")])


def _registration(wish: RegistrationAsked) -> Registration:
    region = region_of(wish.locale)
    return Registration(
        member_id=uuid4(),
        number=member_number(secrets.randbits(_NUMBER_BITS)),
        identities=tuple(each.normalised(region) for each in wish.identities),
        person=Person(name=wish.name, birth_year=wish.birthday.year if wish.birthday else None),
        locale=wish.locale,
        time_zone=wish.time_zone,
        birthday=wish.birthday.without_year() if wish.birthday else None,
        consents=tuple(each.given() for each in wish.consents),
    )
