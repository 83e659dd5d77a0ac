"""One batch, one transaction: the checkpoint's row, the records set aside, the handler, the new position."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.runtime.errors import InvalidMessage
from services.runtime.kafka import checkpoints, dead_letters
from services.runtime.kafka.batches import Batch, Raw
from services.runtime.kafka.checkpoints import Advance, Checkpoint, PartitionId
from services.runtime.kafka.handler import CaughtUp, Handler
from services.runtime.kafka.records import identity_of
from services.runtime.ports import Record, Seal
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class TooManyUnreadable(Exception):
    """Records of many keys in a row cannot be read: rather a bad deploy than bad input, so no more is set aside."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch: how many records went which way, and the position now held."""

    held: Checkpoint
    handled: int
    dead_lettered: int
    parked: int


class Applier:
    """Applies the batches of one partition; whatever it raises has rolled back."""

    def __init__(
        self, *, database: Database, of: PartitionId, handler: Handler[Any], seal: Seal, unreadable_keys_max: int
    ) -> None:
        self._database = database
        self._of = of
        self._handler = handler
        self._seal = seal
        self._unreadable_keys_max = unreadable_keys_max

    async def apply(self, held: Checkpoint, batch: Batch) -> Applied:
        run = self._follow_unreadable_run(held, batch)
        if not batch.raw and batch.next_offset == held.next_offset:
            return Applied(held, 0, 0, 0)
        last = batch.raw[-1] if batch.raw else None
        to = Advance(
            next_offset=batch.next_offset,
            last_offset=None if last is None else last.offset,
            last_id=None if last is None else identity_of(last),
            unreadable_run=run,
        )
        async with self._database.begin() as uow:
            good, refused, parked = await self._sort(uow, held, batch)
            await dead_letters.add_dead_letters(uow, self._of.consumer, self._seal, refused)
            await dead_letters.park(uow, self._of.consumer, self._seal, parked)
            if good:
                await self._handler.handle(uow, good)
            await checkpoints.advance(uow, self._of, to)
        return Applied(_held_at(held, to), len(good), len(refused), len(parked))

    async def caught_up(self, handler: CaughtUp, held: Checkpoint, checked_at: datetime) -> None:
        async with self._database.begin() as uow:
            await checkpoints.lock(uow, self._of, epoch=held.epoch, expected_offset=held.next_offset)
            await handler.caught_up(uow, self._of.partition, checked_at)

    async def _sort(
        self, uow: UnitOfWork, held: Checkpoint, batch: Batch
    ) -> tuple[Sequence[Record[Any]], Sequence[tuple[Raw, InvalidMessage]], Sequence[Raw]]:
        any_parked = await checkpoints.lock(uow, self._of, epoch=held.epoch, expected_offset=held.next_offset)
        keys = await dead_letters.parked_keys(uow, self._of) if any_parked else frozenset()
        good: list[Record[Any]] = []
        refused: list[tuple[Raw, InvalidMessage]] = []
        parked: list[Raw] = []
        for raw, decoded in zip(batch.raw, batch.decoded, strict=True):
            if raw.key in keys:
                parked.append(raw)
            elif isinstance(decoded, InvalidMessage):
                refused.append((raw, decoded))
            else:
                good.append(decoded)
        return good, refused, parked

    def _follow_unreadable_run(self, held: Checkpoint, batch: Batch) -> frozenset[str]:
        """Cuts the batch before the record that makes the run of unreadable keys too long."""
        run = set(held.unreadable_run)
        for index, (raw, decoded) in enumerate(zip(batch.raw, batch.decoded, strict=True)):
            if not isinstance(decoded, InvalidMessage):
                run.clear()
                continue
            longer = run | {raw.key or ""}
            if len(longer) >= self._unreadable_keys_max:
                error = TooManyUnreadable(
                    f"unreadable records of {len(longer)} keys in a row, the last: {decoded.code}"
                )
                batch.broken, batch.next_offset = (raw, error), raw.offset
                del batch.raw[index:], batch.decoded[index:]
                break
            run = longer
        return frozenset(run)


def _held_at(held: Checkpoint, to: Advance) -> Checkpoint:
    return replace(
        held,
        next_offset=to.next_offset,
        last_offset=held.last_offset if to.last_offset is None else to.last_offset,
        last_id=to.last_id or held.last_id,
        unreadable_run=to.unreadable_run,
    )
