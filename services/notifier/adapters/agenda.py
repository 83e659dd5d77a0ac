"""Birthdays in tables: who has them, which days are looked after, and what is ahead."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text

from services.notifier.adapters.programmes import Programmes
from services.notifier.application.ports import DueCelebration, Sweep
from services.notifier.domain.birthdays import Birthday, birthdays_on
from services.notifier.domain.celebrations import Celebrant, Celebration, Reign
from services.notifier.domain.messages import MemberId
from services.notifier.domain.watch import Watch
from services.runtime.postgres.unit_of_work import UnitOfWork


class PostgresAgenda:
    """Whoever changes a member's agenda holds the row of the member: birthday and agenda move together."""

    def __init__(self, uow: UnitOfWork, programmes: Programmes) -> None:
        self._connection = uow.connection
        self._programmes = programmes

    async def reigns(self) -> tuple[Reign, ...]:
        return await self._programmes.reigns(self._connection)

    async def reigns_confirmed(self, *, now: datetime) -> tuple[Reign, ...]:
        return await self._programmes.reigns_confirmed(self._connection, now=now)

    async def watch(self) -> Watch | None:
        return _watch((await self._connection.execute(_HOLD_WATCH)).one())

    async def watch_to_widen(self) -> Watch | None:
        return _watch((await self._connection.execute(_LOCK_WATCH)).one())

    async def widen(self, watch: Watch, *, sweep_from: date) -> None:
        wanted = {"first": watch.first_day, "last": watch.last_day, "version": watch.version}
        await self._connection.execute(_WIDEN, wanted)
        await self._connection.execute(_SWEEP, {"first": sweep_from, "last": watch.last_day})

    async def next_sweep(self) -> Sweep | None:
        row = (await self._connection.execute(_NEXT_SWEEP)).one_or_none()
        return Sweep(row.day, MemberId(str(row.after_member)) if row.after_member else None) if row else None

    async def swept(self, sweep: Sweep) -> None:
        if sweep.after is None:
            await self._connection.execute(_END_SWEEP, {"day": sweep.day})
        else:
            await self._connection.execute(_MOVE_SWEEP, {"day": sweep.day, "after": UUID(sweep.after)})

    async def celebrants(self, member_ids: Collection[MemberId]) -> list[Celebrant]:
        members = {"members": sorted(map(UUID, member_ids))}
        return [_celebrant(row) for row in await self._connection.execute(_LOCK_MEMBERS, members)]

    async def celebrants_on(self, sweep: Sweep, *, limit: int) -> list[Celebrant]:
        birthdays = birthdays_on(sweep.day)
        wanted = {
            "months": [birthday.month for birthday in birthdays],
            "days": [birthday.day for birthday in birthdays],
            "after": UUID(sweep.after) if sweep.after else None,
            "limit": limit,
        }
        return [_celebrant(row) for row in await self._connection.execute(_LOCK_BORN_ON, wanted)]

    async def replan(self, member_ids: Collection[MemberId], celebrations: Sequence[Celebration]) -> None:
        await self._connection.execute(_CLEAR, {"members": [UUID(member) for member in member_ids]})
        await self._enter(celebrations)

    async def due(self, *, now: datetime, limit: int) -> list[DueCelebration]:
        rows = await self._connection.execute(_LOCK_DUE, {"now": now, "limit": limit})
        return [DueCelebration(_celebrant(row), row.campaign, int(row.occurrence)) for row in rows]

    async def settle(self, due: Sequence[DueCelebration], put_off: Sequence[Celebration]) -> None:
        struck = {
            "members": [UUID(each.celebrant.member_id) for each in due],
            "campaigns": [each.campaign for each in due],
            "occurrences": [str(each.year) for each in due],
        }
        await self._connection.execute(_STRIKE, struck)
        await self._enter(put_off)

    async def _enter(self, celebrations: Sequence[Celebration]) -> None:
        if not celebrations:
            return
        entered = {
            "members": [UUID(each.member_id) for each in celebrations],
            "campaigns": [each.campaign.id for each in celebrations],
            "occurrences": [each.occurrence for each in celebrations],
            "due": [each.due_at for each in celebrations],
        }
        await self._connection.execute(_ENTER, entered)


def _watch(row: Row[Any]) -> Watch | None:
    return Watch(row.first_day, row.last_day, row.version) if row.first_day else None


def _celebrant(row: Row[Any]) -> Celebrant:
    is_kept = row.birthday_calendar == "gregorian"
    return Celebrant(
        member_id=MemberId(str(row.member_id)),
        status=row.status,
        zone=ZoneInfo(row.time_zone) if row.time_zone else None,
        birthday=Birthday(row.birthday_month, row.birthday_day) if is_kept else None,
        since=row.birthday_since,
    )


# Held against widening: who reads the days that are watched must be seen by the sweep of the days that are added.
_HOLD_WATCH = text("SELECT first_day, last_day, version FROM birthday_watch FOR SHARE")
_LOCK_WATCH = text("SELECT first_day, last_day, version FROM birthday_watch FOR UPDATE")
_WIDEN = text("UPDATE birthday_watch SET first_day = :first, last_day = :last, version = :version")
_SWEEP = text(
    "INSERT INTO birthday_sweep (day) SELECT generate_series(CAST(:first AS date), CAST(:last AS date), '1 day')"
    " ON CONFLICT (day) DO UPDATE SET after_member = NULL"
)
_NEXT_SWEEP = text("SELECT day, after_member FROM birthday_sweep ORDER BY day LIMIT 1 FOR UPDATE SKIP LOCKED")
_MOVE_SWEEP = text("UPDATE birthday_sweep SET after_member = :after WHERE day = :day")
_END_SWEEP = text("DELETE FROM birthday_sweep WHERE day = :day")

_CELEBRANT = (
    "s.member_id, s.status, s.time_zone, s.birthday_calendar, s.birthday_month, s.birthday_day, s.birthday_since"
)
_LOCK_MEMBERS = text(
    f"SELECT {_CELEBRANT} FROM member_state s WHERE member_id = ANY(CAST(:members AS uuid[]))"
    " ORDER BY member_id FOR UPDATE"
)
_LOCK_BORN_ON = text(
    f"SELECT {_CELEBRANT} FROM member_state s WHERE birthday_calendar = 'gregorian'"
    " AND (birthday_month, birthday_day) IN"
    " (SELECT * FROM unnest(CAST(:months AS smallint[]), CAST(:days AS smallint[])))"
    " AND (CAST(:after AS uuid) IS NULL OR member_id > :after) ORDER BY member_id LIMIT :limit FOR UPDATE OF s"
)
_LOCK_DUE = text(
    f"SELECT a.campaign, a.occurrence, {_CELEBRANT} FROM agenda a JOIN member_state s USING (member_id)"
    " WHERE a.due_at <= :now ORDER BY a.due_at LIMIT :limit FOR UPDATE OF a, s SKIP LOCKED"
)
_CLEAR = text("DELETE FROM agenda WHERE member_id = ANY(CAST(:members AS uuid[]))")
_STRIKE = text(
    "DELETE FROM agenda WHERE (member_id, campaign, occurrence) IN (SELECT * FROM unnest("
    "CAST(:members AS uuid[]), CAST(:campaigns AS text[]), CAST(:occurrences AS text[])))"
)
# What has a message has come: it is never ahead again, wherever the birthday moves.
_ENTER = text(
    "INSERT INTO agenda (member_id, campaign, occurrence, due_at) SELECT * FROM unnest(CAST(:members AS uuid[]),"
    " CAST(:campaigns AS text[]), CAST(:occurrences AS text[]), CAST(:due AS timestamptz[]))"
    " AS ahead (member_id, campaign, occurrence, due_at) WHERE NOT EXISTS (SELECT FROM message m"
    " WHERE (m.member_id, m.campaign, m.occurrence) = (ahead.member_id, ahead.campaign, ahead.occurrence))"
)
