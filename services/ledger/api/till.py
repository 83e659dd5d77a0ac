"""How a till's request becomes one transaction whose answer is given once, however often it is asked."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.api.till_answers import (
    CancellationAnswer,
    RedemptionAnswer,
    RewardsAnswer,
    cancellation_answer,
    redemption_answer,
    reward_answer,
)
from services.ledger.api.till_requests import CancellationAsked, RedemptionAsked
from services.ledger.application.inquiry import Archive
from services.ledger.application.redeeming import (
    REDEEM,
    Asked,
    Busy,
    IdempotencyKeyReused,
    KnownVersions,
    Till,
    TillBooks,
    Tills,
    cancel_of,
)
from services.ledger.application.rewards import Stocks, offers
from services.ledger.domain import refusals
from services.ledger.domain.facts import CommandKey
from services.ledger.domain.ids import EventId, MemberId
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import Principal, require
from services.runtime.http.idempotency import BodyHash, IdempotencyKey, StoredAnswer, answered, remember
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

READ = [require("points:read")]
TILL_REFUSALS: Mapping[type[Exception], RefusalMapping] = MappingProxyType(
    {
        Busy: RefusalMapping(status=503),
        IdempotencyKeyReused: RefusalMapping(status=422),
        refusals.InsufficientPoints: RefusalMapping(),
        refusals.UnitNotSpendable: RefusalMapping(),
        refusals.BelowMinimum: RefusalMapping(),
        refusals.NotAStep: RefusalMapping(code="not_a_step"),
        refusals.AboveShareOfBasket: RefusalMapping(),
        refusals.RewardNotAvailable: RefusalMapping(
            extra=lambda refusal: {"reward": refusal.reward, "reason": refusal.reason, **refusal.numbers}
        ),
        refusals.MemberNotActive: RefusalMapping(),
        refusals.UnknownRedemption: RefusalMapping(status=404, code="redemption_unknown"),
        refusals.RedemptionAlreadyCancelled: RefusalMapping(),
    }
)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks to spend, and under which Idempotency-Key."""

    principal: Principal
    key: str
    body_hash: bytes


async def _asking(
    principal: Annotated[Principal, require("points:redeem")], key: IdempotencyKey, body_hash: BodyHash
) -> Asking:
    return Asking(principal, key, body_hash)


Asker = Annotated[Asking, Depends(_asking)]
Work = Callable[[Till], Awaitable[BaseModel]]


class TillRoutes:
    """One method per path. A refusal ends its transaction without a trace."""

    def __init__(
        self,
        *,
        database: Database,
        tills: Tills,
        books: Callable[[UnitOfWork], TillBooks],
        versions: Callable[[AsyncConnection], KnownVersions],
        archive: Callable[[AsyncConnection], Archive],
        stocks: Callable[[AsyncConnection], Stocks],
        clock: Clock,
    ) -> None:
        self._database = database
        self._tills = tills
        self._books = books
        self._versions = versions
        self._archive = archive
        self._stocks = stocks
        self._clock = clock

    async def redeem(self, member_id: UUID, body: RedemptionAsked, asking: Asker) -> JSONResponse:
        """Spends points at once: on a reward, by points, or as money off a basket."""

        async def redemption(till: Till) -> BaseModel:
            return redemption_answer(await till.redeem(body.wish(), body.order))

        return await self._answer(asking, member_id, REDEEM, 201, redemption)

    async def cancel(
        self, member_id: UUID, redemption_id: UUID, asking: Asker, _body: CancellationAsked | None = None
    ) -> JSONResponse:
        """Gives back what is left of a redemption, into the lots that it came from."""
        redemption = EventId(str(redemption_id))

        async def cancellation(till: Till) -> BaseModel:
            return cancellation_answer(await till.cancel(redemption))

        return await self._answer(asking, member_id, cancel_of(redemption), 200, cancellation)

    async def rewards(self, member: UUID | None = None) -> RewardsAnswer:
        """What points can be had for now; with a member, which of it, and why not the rest."""
        member_id = None if member is None else MemberId(str(member))
        async with self._database.read(snapshot=True) as connection:
            versions = await self._versions(connection)()
            found = await offers(
                self._archive(connection), self._stocks(connection), versions, member_id, self._clock()
            )
        return RewardsAnswer(
            member_id=member_id,
            programme_version=found.programme_version,
            rewards=[reward_answer(offer, TILL_REFUSALS) for offer in found.offers],
        )

    async def _answer(self, asking: Asking, member_id: UUID, operation: str, status: int, work: Work) -> JSONResponse:
        principal, now = asking.principal, self._clock()
        command = CommandKey(principal.owner, asking.key, asking.body_hash.hex())
        asked = Asked(MemberId(str(member_id)), operation, command, now)
        subject = f"{operation} {member_id}"

        async def attempt(uow: UnitOfWork) -> StoredAnswer:
            till = await self._tills.open(self._books(uow), asked, self._versions(uow.connection))
            if till.is_repeat and (stored := await answered(uow, principal, subject, asking.key, asking.body_hash)):
                return stored
            body = (await work(till)).model_dump(mode="json")
            await remember(uow, principal, subject, asking.key, asking.body_hash, status, body)
            return StoredAnswer(status, body)

        answer = await self._database.run(attempt)
        return JSONResponse(answer.body, answer.status)


def build_till_router(routes: TillRoutes) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["till"])
    redemptions = "/members/{member_id}/redemptions"
    router.add_api_route(redemptions, routes.redeem, methods=["POST"], status_code=201, response_model=RedemptionAnswer)
    router.add_api_route(
        redemptions + "/{redemption_id}/cancel", routes.cancel, methods=["POST"], response_model=CancellationAnswer
    )
    router.add_api_route("/rewards", routes.rewards, methods=["GET"], dependencies=READ)
    return router
