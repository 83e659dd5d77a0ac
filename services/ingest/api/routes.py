from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from schemas.base import rfc3339
from schemas.checkouts import Checkout, ClaimRequest
from schemas.purchases import ActivityRequest
from services.ingest.api.batch import add_batch
from services.ingest.api.bodies import CheckoutAnswer, Received, body_of, checkout_answer
from services.ingest.api.door import Door, read
from services.ingest.application.activities import record_activity
from services.ingest.application.receipts import claim, take_hold
from services.ingest.application.refusals import ActivityConflict, CheckoutUnknown, Fault, MemberUnknown, Unreadable
from services.ingest.domain.claim import AlreadyClaimed, Lapsed, MemberNotRegistered, NotClaimable
from services.ingest.domain.identity import EventId
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import EVERY, Principal, require
from services.runtime.http.idempotency import BodyHash, IdempotencyKey, StoredAnswer, answered, remember
from services.runtime.postgres.unit_of_work import UnitOfWork

REFUSALS = {
    ActivityConflict: RefusalMapping(status=409),
    MemberUnknown: RefusalMapping(status=404),
    CheckoutUnknown: RefusalMapping(status=404),
    MemberNotRegistered: RefusalMapping(),
    AlreadyClaimed: RefusalMapping(),
    Lapsed: RefusalMapping(
        title="The time in which it could be claimed has passed",
        extra=lambda refusal: {"lapsed_at": rfc3339(refusal.lapsed_at)},
    ),
    NotClaimable: RefusalMapping(title="Only an unclaimed sale can be claimed"),
}


def build_router(door: Door) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["checkouts"])
    _add_sending(router, door)
    add_batch(router, door)
    _add_reading(router, door)
    _add_claim(router, door)
    _add_activities(router, door)
    return router


def _add_sending(router: APIRouter, door: Door) -> None:
    @router.post("/checkouts", status_code=202, openapi_extra=body_of(Checkout))
    async def send_checkout(request: Request, principal: Annotated[Principal, require("checkouts:write")]) -> Received:
        submission = await door.checkout(await request.body(), principal)
        await door.publish([submission])
        return Received(event_id=submission.arrival.event_id)


def _add_reading(router: APIRouter, door: Door) -> None:
    @router.get("/checkouts/{event_id}")
    async def get_checkout(
        event_id: UUID, principal: Annotated[Principal, require("checkouts:read")]
    ) -> CheckoutAnswer:
        async with door.database.read() as connection:
            status = await door.archive(connection).status(EventId(event_id))
        if status is None or not _may_see(principal, status.source):
            raise CheckoutUnknown("no such checkout; one just sent may take a moment")
        return checkout_answer(status)


def _add_claim(router: APIRouter, door: Door) -> None:
    @router.post("/checkouts/{event_id}/claim", response_model=CheckoutAnswer)
    async def claim_checkout(
        event_id: UUID,
        body: ClaimRequest,
        principal: Annotated[Principal, require("checkouts:claim")],
        key: IdempotencyKey,
        body_hash: BodyHash,
    ) -> JSONResponse:
        """Makes an unclaimed sale the purchase of a registered member, who holds its receipt."""
        wanted, operation = EventId(event_id), f"claim {event_id}"
        identity = read(lambda: door.reader.identity(body.member))

        async def work(uow: UnitOfWork) -> StoredAnswer:
            books = door.books(uow)
            receipt = await take_hold(books, wanted, identity, lambda source: _may_see(principal, source))
            if stored := await answered(uow, principal, operation, key, body_hash):
                return stored
            await claim(books, door.returns(uow), door.reopen, receipt, door.clock())
            status = await door.archive(uow.connection).status(wanted)
            assert status is not None, "it has just been claimed"
            answer = checkout_answer(status).model_dump(mode="json")
            await remember(uow, principal, operation, key, body_hash, 200, answer)
            return StoredAnswer(200, answer)

        answer = await door.database.run(work)
        return JSONResponse(answer.body, answer.status)


def _add_activities(router: APIRouter, door: Door) -> None:
    @router.post("/activities", status_code=202, tags=["activities"], openapi_extra=body_of(ActivityRequest))
    async def send_activity(request: Request, principal: Annotated[Principal, require("activities:write")]) -> Received:
        body, now = await request.body(), door.clock()
        submission = read(lambda: door.reader.activity(body, lambda named: _source(principal, named), now))

        async def record(uow: UnitOfWork) -> EventId:
            return await record_activity(door.activities(uow), submission, now)

        return Received(event_id=await door.database.run(record))


def _may_see(principal: Principal, source: str | None) -> bool:
    # Of another vendor's sale a key learns nothing, not even that there is one; a dead letter names no vendor.
    return source is None or principal.may_write(source)


def _source(principal: Principal, named: str | None) -> str:
    if named is not None:
        principal.ensure_may_write(named)
        return named
    if len(principal.sources) != 1 or EVERY in principal.sources:
        raise Unreadable([Fault("/source", "missing", "this key may write several sources: name one")])
    return next(iter(principal.sources))
