"""Checkouts that came twice and not alike: found, laid side by side, decided."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.__main__ import conflict_desk, reopener_of
from services.ingest.adapters.books import COLUMNS, entry_of
from services.ingest.adapters.conflicts import COLUMNS as CONFLICT_COLUMNS
from services.ingest.adapters.conflicts import filed_of
from services.ingest.adapters.programme import Programme
from services.ingest.application.admitting import Moment
from services.ingest.application.deciding import ConflictUnknown, Filed, Ruling
from services.ingest.application.ports import Entry
from services.ingest.domain.identity import EventId
from services.ingest.domain.programme import waits_until
from services.ops.acting_service import acting_as
from services.ops.operator_actions import note_action
from services.ops.session import database
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process.definition import Context

Json = Mapping[str, Any]
SHOWN = ("occurred_at", "currency", "rounding")
SHOWN_OF_LINE = ("line", "sku", "quantity", "net", "tax", "of_line")
SHOWN_OF_TENDER = ("type", "amount")


@dataclass(frozen=True, slots=True)
class Listed:
    """A checkout with conflicts; `since` is when the first of them came."""

    event_id: UUID
    source: str
    since: datetime
    reasons: Sequence[str]
    conflicts: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Second:
    """What was set aside; decided ones have no content any more. `payload` is all that the till sent."""

    filed: Filed
    content: Json | None
    payload: Json | None


@dataclass(frozen=True, slots=True)
class Pair:
    """The first checkout under an id and what came after it; `content` None where the door keeps nothing of it."""

    first: Entry
    content: Json | None
    seconds: Sequence[Second]


class SeveralContents(Exception):
    """More than one content came under this id, or more than one begins like this; `fingerprints` are they."""

    def __init__(self, fingerprints: Sequence[str]) -> None:
        super().__init__("several")
        self.fingerprints = fingerprints


async def list_conflicts(state: str, limit: int, before: UUID | None) -> Sequence[Listed]:
    """The newest last; `before` names a checkout of an earlier page."""
    async with acting_as("ingest") as ingest, ingest.context.database.read() as connection:
        rows = await connection.execute(_LIST, {"state": state, "limit": limit, "before": before})
        return [Listed(**row._mapping) for row in rows][::-1]


async def read_pair(event_id: UUID, *, opened_by: str | None = None) -> Pair | None:
    """With the payloads where somebody wants to have opened them, which is noted."""
    if opened_by is not None:
        async with database("access") as books, books.begin() as uow:
            await note_action(uow, operator=opened_by, action="open", subject=f"conflict {event_id}")
    async with acting_as("ingest") as ingest, ingest.context.database.read() as connection:
        found = (await connection.execute(_FIRST, {"event_id": event_id})).mappings().one_or_none()
        filed = await _filed(connection, event_id)
        if found is None or not filed:
            return None
        first = entry_of(found)
        return Pair(
            first=first,
            content=await _first_content(connection, ingest.context, first),
            seconds=[_second(ingest.context, each, with_payload=opened_by is not None) for each in filed],
        )


async def decide(event_id: UUID, fingerprint: str, ruling: Ruling) -> Ruling:
    """`fingerprint` is the beginning of one, in hexadecimal; empty where there is only one to decide."""
    async with acting_as("ingest") as ingest:
        context, clock = ingest.context, ingest.context.clock
        owner, desk, programme = ingest.definition.topic_owner, conflict_desk(context), Programme(clock)
        # As every process that decides: never upon tables that have forgotten what was published.
        assert owner is not None
        await check_topics_not_ahead(kafka=context.kafka, database=context.database, owner=owner(context))

        async def work(uow: UnitOfWork) -> Ruling:
            now = clock()
            content = _chosen(await _filed(uow.connection, event_id), fingerprint)
            moment = Moment(now, waits_until(await programme.known(uow.connection), now))
            return await desk(uow).decide(EventId(event_id), content, ruling, moment)

        return await context.database.run(work)


async def _filed(connection: AsyncConnection, event_id: UUID) -> Sequence[Filed]:
    return [filed_of(row) for row in await connection.execute(_SECONDS, {"event_id": event_id})]


def _chosen(filed: Sequence[Filed], prefix: str) -> bytes:
    fitting = {each.row.fingerprint for each in filed if each.row.fingerprint.hex().startswith(prefix)}
    undecided = {each.row.fingerprint for each in filed if each.ruling is None}
    wanted = (fitting & undecided) or fitting
    if not wanted:
        raise ConflictUnknown
    if len(wanted) > 1:
        raise SeveralContents(sorted(each.hex() for each in wanted))
    return next(iter(wanted))


async def _first_content(connection: AsyncConnection, context: Context[Any], first: Entry) -> Json | None:
    if first.sealed is not None:
        return _content(_opened(context, first.event_id, first.sealed))
    purchase = await connection.scalar(_PURCHASE, {"event_id": first.event_id})
    return None if purchase is None else _content(json.loads(purchase))


def _second(context: Context[Any], filed: Filed, *, with_payload: bool) -> Second:
    if not filed.row.sealed:
        return Second(filed, None, None)
    payload = _opened(context, filed.row.event_id, filed.row.sealed)
    return Second(filed, _content(payload), payload if with_payload else None)


def _opened(context: Context[Any], event_id: EventId, sealed: bytes) -> Json:
    opened: Json = reopener_of(context).opened(event_id, sealed).model_dump(mode="json", exclude_none=True)
    return opened


def _content(told: Json) -> Json:
    """What was bought and paid, and nothing of who did."""
    content = {name: told[name] for name in SHOWN if name in told}
    content["lines"] = [_picked(line, SHOWN_OF_LINE) for line in told["lines"]]
    content["tenders"] = [_picked(tender, SHOWN_OF_TENDER) for tender in told["tenders"]]
    return content


def _picked(part: Json, names: Sequence[str]) -> Json:
    return {name: part[name] for name in names if name in part}


_LIST = text("""
    WITH listed AS (
        SELECT event_id, min(recorded_at) AS since, array_agg(DISTINCT reason) AS reasons,
            count(*) AS conflicts, count(*) FILTER (WHERE verdict IS NULL) AS undecided
        FROM conflict WHERE CASE :state WHEN 'open' THEN verdict IS NULL WHEN 'decided' THEN verdict IS NOT NULL
            ELSE true END
        GROUP BY event_id
    )
    SELECT listed.event_id, source, since, reasons, conflicts, undecided
    FROM listed JOIN checkout USING (event_id)
    WHERE CAST(:before AS uuid) IS NULL
        -- One that was decided since an earlier page is listed no more; its place still is.
        OR (since, event_id) < (
            SELECT coalesce((SELECT since FROM listed WHERE event_id = CAST(:before AS uuid)), max(recorded_at)),
                CAST(:before AS uuid)
            FROM conflict WHERE event_id = CAST(:before AS uuid)
        )
    ORDER BY since DESC, event_id DESC LIMIT :limit
""")
_FIRST = text(f"SELECT {COLUMNS} FROM checkout WHERE event_id = :event_id AND fate IS NOT NULL")
_SECONDS = text(f"SELECT {CONFLICT_COLUMNS} FROM conflict WHERE event_id = :event_id ORDER BY recorded_at, fingerprint")
_PURCHASE = text("""
    SELECT body FROM purchase JOIN checkout USING (member_id, event_id) WHERE checkout.event_id = :event_id
""")
