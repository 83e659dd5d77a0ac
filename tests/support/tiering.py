"""Tiering with a clock that is set by hand, and its sweep run by hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text

from schemas.tiers import TierChanged
from services.runtime.errors import NotReady
from services.runtime.process.definition import Job
from services.tiering.__main__ import SERVICE
from tests.support.ledger import SettableClock
from tests.support.points_streams import PointsStream
from tests.support.running_services import RunningService, eventually


@dataclass(frozen=True)
class TieringService:
    running: RunningService
    clock: SettableClock
    sweep: Job = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sweep", self.another_sweep())

    def another_sweep(self) -> Job:
        assert SERVICE.jobs is not None
        (job,) = SERVICE.jobs(self.running.context)
        return job

    async def until_swept(self) -> int:
        """How many members were judged, once the sweep no longer waits."""
        judged: list[int] = []

        async def swept() -> bool:
            try:
                judged.append(await self.sweep.run())
            except NotReady:
                return False
            return True

        await eventually(swept)
        return judged[0]

    async def until_waiting(self, reason: str) -> None:
        """Until the sweep waits for this."""

        async def waits() -> bool:
            try:
                judged = await self.sweep.run()
            except NotReady as wait:
                return reason in wait.reason
            raise AssertionError(f"{judged} members were judged")

        await eventually(waits)

    async def until_taken(self, *streams: PointsStream) -> None:
        """Until the last fact of each stream is taken."""

        async def taken() -> bool:
            rows = await self.query("SELECT member_id::text, points_seq FROM standing")
            return {(stream.member_id, stream.seq) for stream in streams} <= {(row[0], row[1]) for row in rows}

        await eventually(taken)

    async def until_confirmed(self, partition: int, at: datetime) -> None:
        async def confirmed() -> bool:
            rows = await self.query(
                "SELECT 1 FROM points_confirmation WHERE partition = :p AND confirmed_at >= :at", p=partition, at=at
            )
            return bool(rows)

        await eventually(confirmed)

    async def tier(self, member_id: str, moment: datetime | None = None) -> dict[str, Any]:
        params = {"at": moment.isoformat()} if moment else {}
        answer = await self.running.client.get(f"/v1/members/{member_id}/tier", params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def until_changed(self, count: int) -> list[TierChanged]:
        records = await self.running.until_published("tiers", count)
        return [TierChanged.model_validate_json(record.value or b"") for record in records]

    async def query(self, statement: str, **parameters: Any) -> Sequence[Any]:
        async with self.running.owner.begin() as uow:
            return (await uow.connection.execute(text(statement), parameters)).all()

    @asynccontextmanager
    async def holding(self, statement: str, **parameters: Any) -> AsyncIterator[None]:
        """Locks that somebody else has until the end of the block, or until waiting for them is given up."""
        async with self.running.owner.engine.connect() as connection:
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await connection.execute(text(statement), parameters)
            yield
            await connection.rollback()
