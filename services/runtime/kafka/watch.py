"""What one partition tells: its state to the checkpoint's row, the log and the metrics, and how far it is behind."""

from datetime import datetime
from typing import Literal

import structlog

from services.runtime.errors import Transient
from services.runtime.kafka import checkpoints
from services.runtime.kafka.applier import Applied
from services.runtime.kafka.batches import Batch
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.kafka.metrics import LoopMetrics, PartitionState
from services.runtime.kafka.status import PartitionStatus
from services.runtime.ports import Clock
from services.runtime.postgres.faults import is_transient
from services.runtime.postgres.unit_of_work import Database

WaitingFor = Literal["transient", "not_ready", "fenced"]

_log = structlog.get_logger("consumer")


class PartitionWatch:
    """Lag in seconds is the age of the oldest record known to be unapplied; it grows while the partition stands."""

    def __init__(self, database: Database, of: PartitionId, clock: Clock, metrics: LoopMetrics) -> None:
        self._database = database
        self._of = of
        self._clock = clock
        self._metrics = metrics
        self._state: PartitionState = "running"
        self._cause: str | None = None
        self._lag_records: int | None = None
        self._behind_since: datetime | None = None
        # The row may still carry what an earlier owner noted.
        self._row_is_clean = False

    def status(self) -> PartitionStatus:
        return PartitionStatus(
            self._of.topic, self._of.partition, self._state, self._cause, self._lag_records, self._lag_seconds()
        )

    def begin_batch(self, batch: Batch) -> None:
        if batch.raw:
            self._behind_since = batch.raw[0].appended_at

    def end_batch(self, batch: Batch, applied: Applied, *, seconds: float, end_offset: int | None) -> None:
        if end_offset is not None:
            self._lag_records = max(0, end_offset - applied.held.next_offset)
        if batch.raw:
            oldest = batch.raw[-1] if applied.broken is None else applied.broken[0]
            self._behind_since = oldest.appended_at
            self._count(applied, seconds)
        self._tell_lag()

    def left_behind(self, next_offset: int, end_offset: int) -> None:
        self._lag_records = max(0, end_offset - next_offset)
        self._tell_lag()

    async def running(self, epoch: int, *, noted: bool) -> None:
        """`noted` says that the row was just written in the batch's own transaction."""
        self._change("running", None)
        if not (noted or self._row_is_clean):
            await self._note(epoch)
        self._row_is_clean = True

    async def waiting(self, epoch: int, why: WaitingFor, cause: str) -> None:
        self._metrics.outcome(self._of.topic, why)
        if self._change("waiting", cause):
            _log.warning("partition_waiting", **self._of.parameters(), why=why, cause=cause)
            await self._note(epoch)

    async def stopped(self, epoch: int, cause: str) -> None:
        self._metrics.outcome(self._of.topic, "stopped")
        self._change("stopped", cause)
        _log.error("partition_stopped", **self._of.parameters(), cause=cause)
        await self._note(epoch)

    def _change(self, state: PartitionState, cause: str | None) -> bool:
        if (state, cause) == (self._state, self._cause):
            return False
        self._state, self._cause = state, cause
        self._metrics.state(self._of.topic, self._of.partition, state)
        return True

    async def _note(self, epoch: int) -> None:
        self._row_is_clean = False
        try:
            await checkpoints.note_state(self._database, self._of, epoch=epoch, state=self._state, cause=self._cause)
        except Exception as error:
            # The row is for people; where the database is the trouble, the log and /readyz have to do.
            if not (is_transient(error) or isinstance(error, Transient)):
                raise

    def _lag_seconds(self) -> float | None:
        if self._lag_records is None:
            return None
        if self._lag_records == 0 or self._behind_since is None:
            return 0.0
        return max(0.0, (self._clock() - self._behind_since).total_seconds())

    def _tell_lag(self) -> None:
        seconds = self._lag_seconds()
        if self._lag_records is not None and seconds is not None:
            self._metrics.lag(self._of.topic, self._of.partition, records=self._lag_records, seconds=seconds)

    def _count(self, applied: Applied, seconds: float) -> None:
        topic = self._of.topic
        total = applied.handled + applied.dead_lettered + applied.parked
        if not total:
            return
        self._metrics.batch(topic, records=total, seconds=seconds)
        self._metrics.outcome(topic, "handled", applied.handled)
        if applied.parked:
            self._metrics.outcome(topic, "parked", applied.parked)
        if applied.dead_lettered:
            self._metrics.outcome(topic, "dead_lettered", applied.dead_lettered)
            _log.warning("records_dead_lettered", **self._of.parameters(), count=applied.dead_lettered)
