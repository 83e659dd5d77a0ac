"""The HTTP face of tiering."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.base import rfc3339
from services.runtime.http.auth import Principal, require
from services.runtime.http.problem import Problem, fault, invalid
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database
from services.tiering.application import Programme, Standing, StandingReader, standing_of
from services.tiering.domain.progress import Missing, Upcoming
from services.tiering.domain.rules import Level
from services.tiering.domain.windows import Window

PAGE_MAX = 200
# Calendar windows near the ends of time would overflow.
_YEARS = range(1970, 2201)

Reads = Annotated[Principal, require("tiers:read")]
MemberId = Annotated[UUID, Path(description="The member's id.")]
At = Annotated[AwareDatetime | None, Query(description="An instant with its offset; the present by default.")]
Cursor = Annotated[int | None, Query(ge=1, le=2**53, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


class History(Protocol):
    async def newest_first(
        self, member_id: str, *, before: int | None, limit: int
    ) -> Sequence[dict[str, Any]] | None: ...


def router(
    database: Database,
    standings: Callable[[AsyncConnection], StandingReader],
    programme: Callable[[AsyncConnection], Programme],
    history: Callable[[AsyncConnection], History],
    clock: Clock,
) -> APIRouter:
    routes = _Routes(database, standings, programme, history, clock)
    made = APIRouter(tags=["tiers"])
    made.add_api_route("/v1/members/{member_id}/tier", routes.tier, methods=["GET"])
    made.add_api_route("/v1/members/{member_id}/tier/history", routes.changes, methods=["GET"])
    return made


@dataclass(frozen=True, slots=True)
class _Routes:
    database: Database
    standings: Callable[[AsyncConnection], StandingReader]
    programme: Callable[[AsyncConnection], Programme]
    history: Callable[[AsyncConnection], History]
    clock: Clock

    async def tier(self, member_id: MemberId, principal: Reads, at: At = None) -> dict[str, Any]:
        """Where a member stands, since when and until when, and what is missing to rise and to stay.

        A tier stays beyond `valid_until`, with `evaluation_pending`, until the end of its period is evaluated; what
        that leaves counts from the end itself.
        """
        if at is not None and at.year not in _YEARS:
            raise invalid([fault("at", "out_of_range", "the year must be between 1970 and 2200")])
        async with self.database.read() as connection:
            tables = self.standings(connection), self.programme(connection)
            standing = await standing_of(*tables, str(member_id), at or self.clock())
        if standing is None:
            raise _unknown(member_id)
        return {"member_id": str(member_id)} | _document(standing)

    async def changes(
        self, member_id: MemberId, principal: Reads, cursor: Cursor = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """The changes of a member's tier as they were published, the newest first."""
        async with self.database.read() as connection:
            found = await self.history(connection).newest_first(str(member_id), before=cursor, limit=limit + 1)
        if found is None:
            raise _unknown(member_id)
        page = found[:limit]
        more = page[-1]["member_seq"] if len(found) > limit else None
        return {"member_id": str(member_id), "changes": page, "next_cursor": more}


def _unknown(member_id: UUID) -> Problem:
    return Problem(404, "member_unknown", detail="no member has this id", extra={"member_id": str(member_id)})


def _document(standing: Standing) -> dict[str, Any]:
    now, rules = standing.progress, standing.rules
    return {
        "at": rfc3339(standing.at),
        "tier": _level(now.level),
        "since": _instant(now.since),
        "valid_until": _instant(now.valid_until),
        "evaluation_pending": now.evaluation_pending,
        "metric": {"unit": rules.unit, "value": now.metric, "window": _window(now.window)} if now.window else None,
        "next": {"tier": _level(now.next_level), **_missing(now.to_reach)} if now.to_reach else None,
        "keep": _missing(now.to_keep) if now.to_keep else None,
        "upcoming": _upcoming(now.upcoming) if now.upcoming else None,
        "programme_version": rules.version,
    }


def _level(level: Level | None) -> dict[str, Any]:
    """The base tier has neither id nor name: it is what everybody has."""
    if level is None:
        return {"id": None, "name": None, "benefits": []}
    return {"id": level.id, "name": dict(level.names), "benefits": list(level.benefits)}


def _missing(part: Missing) -> dict[str, Any]:
    return {
        "needed": part.needed,
        "counted": part.counted,
        "missing": part.missing,
        "counts_from": _instant(part.window.starts_at),
        "until": _instant(part.window.ends_at),
    }


def _upcoming(change: Upcoming) -> dict[str, Any]:
    return {
        "tier": _level(change.level),
        "effective_from": rfc3339(change.effective_from),
        "valid_until": _instant(change.valid_until),
        "keep": _missing(change.to_keep) if change.to_keep else None,
    }


def _window(window: Window) -> dict[str, Any]:
    return {"kind": window.kind, "starts_at": _instant(window.starts_at), "ends_at": _instant(window.ends_at)}


def _instant(instant: datetime | None) -> str | None:
    return rfc3339(instant) if instant is not None else None
