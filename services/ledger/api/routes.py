"""The paths of the service."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.base import Instant, rfc3339
from services.ledger.api.answers import (
    BalancesAnswer,
    EntriesAnswer,
    ExplainAnswer,
    LotsAnswer,
    entry_answer,
    lot_answer,
    unit_answer,
    unit_answer_as_of,
)
from services.ledger.application.inquiry import (
    ENTRIES_PAGE,
    ENTRIES_PAGE_MAX,
    Archive,
    UnknownEvent,
    UnknownMember,
    account_of,
    entries_after,
    explain,
    history_of,
)
from services.ledger.domain.balances import as_of, lots, view
from services.ledger.domain.ids import EventId, MemberId
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.auth import require
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database

REFUSALS: Mapping[type[Exception], RefusalMapping] = MappingProxyType(
    {
        UnknownMember: RefusalMapping(status=404, code="member_unknown"),
        UnknownEvent: RefusalMapping(status=404, code="event_unknown"),
    }
)
MEMBER_SEQ_MAX = 2**53 - 1
READ = [require("points:read")]


class LedgerRoutes:
    """One method per path; every answer comes from one connection of the service's own database."""

    def __init__(self, *, database: Database, archive: Callable[[AsyncConnection], Archive], clock: Clock) -> None:
        self._database = database
        self._archive = archive
        self._clock = clock

    async def balances(
        self,
        member_id: UUID,
        at: Annotated[Instant | None, Query(description="event time: how it was then")] = None,
        known_at: Annotated[Instant | None, Query(description="by what was recorded then")] = None,
    ) -> BalancesAnswer:
        """What a member has, settled to now; or how it was at `at`, by what was known at `known_at`."""
        member = MemberId(str(member_id))
        async with self._database.read(snapshot=True) as connection:
            archive = self._archive(connection)
            state = await account_of(archive, member)
            if at is None and known_at is None:
                now = view(state, self._clock())
                units = {unit: unit_answer(each) for unit, each in now.units.items()}
                return BalancesAnswer(member_id=member, at=rfc3339(now.at), member_seq=state.member_seq, units=units)
            return await self._balances_as_of(archive, member, at, known_at)

    async def _balances_as_of(
        self, archive: Archive, member: MemberId, at: datetime | None, known_at: datetime | None
    ) -> BalancesAnswer:
        clock = self._clock()
        event_time, knowledge = at or clock, known_at or clock
        facts = await history_of(archive, member, knowledge)
        buckets = as_of(member, facts, at=event_time, known_at=knowledge)
        units = {unit: unit_answer_as_of(balance) for unit, balance in buckets.items()}
        return BalancesAnswer(member_id=member, at=rfc3339(event_time), member_seq=len(facts), units=units)

    async def lots(self, member_id: UUID) -> LotsAnswer:
        """What is left of each lot, in the order in which it would be spent."""
        member, now = MemberId(str(member_id)), self._clock()
        async with self._database.read() as connection:
            state = await account_of(self._archive(connection), member)
        return LotsAnswer(member_id=member, at=rfc3339(now), lots=[lot_answer(lot) for lot in lots(state, now)])

    async def entries(
        self,
        member_id: UUID,
        cursor: Annotated[int, Query(ge=0, le=MEMBER_SEQ_MAX, description="the `next` of the page before")] = 0,
        limit: Annotated[int, Query(ge=1, le=ENTRIES_PAGE_MAX)] = ENTRIES_PAGE,
    ) -> EntriesAnswer:
        """The member's stream, oldest first, as stored and published."""
        member = MemberId(str(member_id))
        async with self._database.read() as connection:
            page = await entries_after(self._archive(connection), member, cursor, limit)
        following = str(page[-1].member_seq) if len(page) == limit else None
        return EntriesAnswer(member_id=member, entries=[entry_answer(each) for each in page], next=following)

    async def explain(self, event_id: UUID) -> ExplainAnswer:
        """Why a checkout gave what it gave, with rule, version, line and lot, and what became of it."""
        event = EventId(str(event_id))
        async with self._database.read(snapshot=True) as connection:
            found = await explain(self._archive(connection), event)
        return ExplainAnswer(
            event_id=event,
            member_id=found.caused[0].member_id,
            facts=[entry_answer(each) for each in found.caused],
            later=[entry_answer(each) for each in found.later],
        )


def build_router(*, database: Database, archive: Callable[[AsyncConnection], Archive], clock: Clock) -> APIRouter:
    routes = LedgerRoutes(database=database, archive=archive, clock=clock)
    router = APIRouter(prefix="/v1", tags=["ledger"], dependencies=READ)
    router.add_api_route("/members/{member_id}/balances", routes.balances, methods=["GET"])
    router.add_api_route("/members/{member_id}/lots", routes.lots, methods=["GET"])
    router.add_api_route("/members/{member_id}/entries", routes.entries, methods=["GET"])
    router.add_api_route("/explain/{event_id}", routes.explain, methods=["GET"])
    return router
