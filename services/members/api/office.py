"""How a request becomes one transaction whose answer is given once, however often it is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from services.members.api.answers import Receipt
from services.members.application import Author, Desk
from services.members.domain.member import Member
from services.runtime.digests import IdentityDigests
from services.runtime.http.auth import Principal, require
from services.runtime.http.idempotency import BodyHash, IdempotencyKey, StoredAnswer, answered, remember
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks to write, and under which Idempotency-Key."""

    principal: Principal
    key: str
    body_hash: bytes


def _asked(
    principal: Annotated[Principal, require("members:write")], key: IdempotencyKey, body_hash: BodyHash
) -> Asked:
    return Asked(principal, key, body_hash)


Asking = Annotated[Asked, Depends(_asked)]
Work = Callable[[Desk, Author], Awaitable[Member]]


class Office:
    """The service's transactions; `writing` and `reading` put a desk into one."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        digests: IdentityDigests,
        writing: Callable[[UnitOfWork], Desk],
        reading: Callable[[AsyncConnection], Desk],
    ) -> None:
        self.database = database
        self._clock = clock
        self._digests = digests
        self._writing = writing
        self.reading = reading

    async def register(self, asked: Asked, work: Work) -> JSONResponse:
        async def attempt(uow: UnitOfWork) -> StoredAnswer:
            return await self._known(uow, asked, "members.register") or await self._done(
                uow, asked, "members.register", 201, work, None
            )

        return _response(await self.database.run(attempt))

    async def registered(self, asked: Asked) -> JSONResponse | None:
        """The answer of a registration with this key that was under way at the same time."""
        async with self.database.begin() as uow:
            stored = await self._known(uow, asked, "members.register")
        return None if stored is None else _response(stored)

    async def change(
        self, asked: Asked, member_id: UUID, name: str, work: Work, reason: str | None = None
    ) -> JSONResponse:
        operation = f"members.{name} {member_id}"

        async def attempt(uow: UnitOfWork) -> StoredAnswer:
            # Under the member's lock, so that of two requests with one key the second sees the answer of the first.
            await self._writing(uow).hold(member_id)
            return await self._known(uow, asked, operation) or await self._done(
                uow, asked, operation, 200, work, reason
            )

        return _response(await self.database.run(attempt))

    async def _known(self, uow: UnitOfWork, asked: Asked, operation: str) -> StoredAnswer | None:
        return await answered(uow, asked.principal, operation, asked.key, self._fingerprint(asked))

    async def _done(
        self, uow: UnitOfWork, asked: Asked, operation: str, status: int, work: Work, reason: str | None
    ) -> StoredAnswer:
        author = Author(asked.principal.owner, self._clock(), reason)
        member = await work(self._writing(uow), author)
        answer = StoredAnswer(status, Receipt.model_validate(member).model_dump(mode="json"))
        await remember(uow, asked.principal, operation, asked.key, self._fingerprint(asked), status, answer.body)
        return answer

    def _fingerprint(self, asked: Asked) -> bytes:
        # A plain hash of a body that holds a phone number could be searched for the number.
        return self._digests.digest("request", asked.body_hash.hex())


def _response(answer: StoredAnswer) -> JSONResponse:
    return JSONResponse(answer.body, answer.status)
