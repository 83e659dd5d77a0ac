"""What tiering does by itself: judge the periods that have ended."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from services.runtime.telemetry.log import logger
from services.tiering.application import (
    Confirmations,
    Programme,
    RipeEnd,
    Standings,
    check_all_read,
    judge_ends,
    ripe_end,
)

MEMBERS_MAX = 500
_log = logger(__name__)


class EndPeriods:
    """One bounded run. A member is judged and moved on in one transaction: it may be killed anywhere, and run beside
    others. `partitions` answers which ones topic `points` has."""

    def __init__(
        self,
        *,
        database: Database,
        standings: Callable[[UnitOfWork], Standings],
        programme: Callable[[AsyncConnection], Programme],
        confirmations: Callable[[AsyncConnection], Confirmations],
        partitions: Callable[[], Awaitable[Collection[int]]],
        clock: Clock,
        members_max: int = MEMBERS_MAX,
    ) -> None:
        self._database = database
        self._standings = standings
        self._programme = programme
        self._confirmations = confirmations
        self._partitions = partitions
        self._clock = clock
        self._members_max = members_max
        self._all_read_for: RipeEnd | None = None

    async def __call__(self) -> int:
        """How many members were judged; 0 = nothing is due. NotReady where what is due must wait."""
        now = self._clock()
        ripe = await self._ripe(now)
        if ripe is None:
            return 0
        judged = await self._database.run(lambda uow: self._judge(uow, ripe.boundary, now))
        if judged:
            _log.info("periods_ended", boundary=ripe.boundary.isoformat(), members=judged)
        return judged

    async def _ripe(self, now: datetime) -> RipeEnd | None:
        async with self._database.read() as connection:
            ripe = await ripe_end(self._confirmations(connection), self._programme(connection), now)
        # What was read is not unread again: the broker is asked once for each end, not for each run.
        if ripe is not None and ripe != self._all_read_for:
            partitions = await self._partitions()
            async with self._database.read() as connection:
                await check_all_read(self._confirmations(connection), partitions, ripe)
            self._all_read_for = ripe
        return ripe

    async def _judge(self, uow: UnitOfWork, boundary: datetime, now: datetime) -> int:
        programme = self._programme(uow.connection)
        return await judge_ends(self._standings(uow), programme, boundary, limit=self._members_max, now=now)
