from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkouts import Checkout
from schemas.purchases import ActivityRequest
from services.ingest.api.bodies import CheckoutAnswer, Received, body_of, checkout_answer
from services.ingest.application.activities import ActivitySubmission, record_activity
from services.ingest.application.ports import Activities, Archive, Submission
from services.ingest.application.refusals import ActivityConflict, Fault, MemberUnknown, TooLarge, Unreadable
from services.ingest.domain.identity import EventId
from services.ingest.domain.programme import ProgrammeVersion, currency_at
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import EVERY, Principal, require
from services.runtime.http.problem import Problem, fault, invalid
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

T = TypeVar("T")

REFUSALS = {
    ActivityConflict: RefusalMapping(status=409),
    MemberUnknown: RefusalMapping(status=404),
}


class Reader(Protocol):
    """Both raise Unreadable."""

    def checkout(self, body: bytes, now: datetime) -> Submission: ...

    def activity(self, body: bytes, source_of: Callable[[str | None], str], now: datetime) -> ActivitySubmission: ...


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the routes stand on; `publish` returns once the broker has acknowledged, else raises Transient."""

    reader: Reader
    publish: Callable[[Submission], Awaitable[None]]
    versions: Callable[[], Awaitable[Sequence[ProgrammeVersion]]]
    database: Database
    activities: Callable[[UnitOfWork], Activities]
    archive: Callable[[AsyncConnection], Archive]
    clock: Clock


def build_router(door: Door) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["checkouts"])

    @router.post("/checkouts", status_code=202, openapi_extra=body_of(Checkout))
    async def send_checkout(request: Request, principal: Annotated[Principal, require("checkouts:write")]) -> Received:
        submission = _read(door.reader.checkout, await request.body(), door.clock())
        principal.ensure_may_write(submission.source)
        await _check_currency(door, submission)
        await door.publish(submission)
        return Received(event_id=submission.arrival.event_id)

    @router.get("/checkouts/{event_id}")
    async def get_checkout(
        event_id: UUID, principal: Annotated[Principal, require("checkouts:read")]
    ) -> CheckoutAnswer:
        async with door.database.read() as connection:
            status = await door.archive(connection).status(EventId(event_id))
        # Of another vendor's sale a key learns nothing, not even that there is one; a dead letter names no vendor.
        if status is None or not (status.source is None or principal.may_write(status.source)):
            raise Problem(404, "checkout_unknown", detail="no such checkout; one just sent may take a moment")
        return checkout_answer(status)

    @router.post("/activities", status_code=202, tags=["activities"], openapi_extra=body_of(ActivityRequest))
    async def send_activity(request: Request, principal: Annotated[Principal, require("activities:write")]) -> Received:
        body, now = await request.body(), door.clock()

        def read(body: bytes, now: datetime) -> ActivitySubmission:
            return door.reader.activity(body, lambda named: _source(principal, named), now)

        submission = _read(read, body, now)

        async def record(uow: UnitOfWork) -> EventId:
            return await record_activity(door.activities(uow), submission, now)

        return Received(event_id=await door.database.run(record))

    return router


def _read(read: Callable[[bytes, datetime], T], body: bytes, now: datetime) -> T:
    try:
        return read(body, now)
    except Unreadable as refusal:
        raise _problem(refusal) from None


def _problem(refusal: Unreadable) -> Problem:
    if isinstance(refusal, TooLarge):
        first = refusal.faults[0]
        return Problem(413, first.code, detail=first.detail)
    return invalid([fault(each.pointer, each.code, each.detail) for each in refusal.faults])


async def _check_currency(door: Door, submission: Submission) -> None:
    currency = currency_at(await door.versions(), submission.occurred_at)
    if currency not in (None, submission.currency):
        raise invalid([fault("/currency", "currency_mismatch", f"the programme in force counts in {currency}")])


def _source(principal: Principal, named: str | None) -> str:
    if named is not None:
        principal.ensure_may_write(named)
        return named
    if len(principal.sources) != 1 or EVERY in principal.sources:
        raise Unreadable([Fault("/source", "missing", "this key may write several sources: name one")])
    return next(iter(principal.sources))
