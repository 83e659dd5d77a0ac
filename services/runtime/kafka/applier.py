"""One batch, one transaction: the checkpoint's row, the records set aside, the handler, the new position."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.runtime.errors import InvalidMessage
from services.runtime.kafka import checkpoints, dead_letters
from services.runtime.kafka.batches import Batch, Decoded, Raw, Undecodable
from services.runtime.kafka.checkpoints import Advance, Checkpoint, PartitionId
from services.runtime.kafka.handler import CaughtUp, Handler
from services.runtime.kafka.records import identity_of
from services.runtime.ports import Record, Seal
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class TooManyUnreadable(Exception):
    """Records of many keys in a row cannot be read: rather a bad deploy than bad input, so no more is set aside."""


Broken = tuple[Raw, Exception]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch: how many records went which way, and the position now held; it stands before `broken`,
    a record at which the partition must stop."""

    held: Checkpoint
    handled: int = 0
    dead_lettered: int = 0
    parked: int = 0
    broken: Broken | None = None


@dataclass(slots=True)
class _Sorted:
    next_offset: int
    run: set[str]
    good: list[Record[Any]] = field(default_factory=list)
    refused: list[tuple[Raw, InvalidMessage]] = field(default_factory=list)
    parked: list[Raw] = field(default_factory=list)
    last: Raw | None = None
    broken: Broken | None = None


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
        """A record that the handler refuses is set aside as well, and `batch` then says so."""
        while True:
            try:
                return await self._apply(held, batch)
            except InvalidMessage as refusal:
                # Here and now: to read the batch again for each of its records takes minutes.
                if not batch.refuse(refusal):
                    raise

    async def _apply(self, held: Checkpoint, batch: Batch) -> Applied:
        if not batch.raw and batch.next_offset == held.next_offset:
            return Applied(held)
        async with self._database.begin() as uow:
            any_parked = await self._lock(uow, held)
            keys = await dead_letters.parked_keys(uow, self._of) if any_parked else frozenset()
            found = self._sort(batch, held, keys)
            if found.next_offset == held.next_offset:
                return Applied(held, broken=found.broken)
            await dead_letters.add_dead_letters(uow, self._of.consumer, self._seal, found.refused)
            await dead_letters.park(uow, self._of.consumer, self._seal, found.parked)
            if found.good:
                await self._handler.handle(uow, found.good)
            to = _advance(found)
            await checkpoints.advance(uow, self._of, to)
        return Applied(_held_at(held, to), len(found.good), len(found.refused), len(found.parked), found.broken)

    async def caught_up(self, handler: CaughtUp, held: Checkpoint, checked_at: datetime) -> None:
        async with self._database.begin() as uow:
            any_parked = await self._lock(uow, held)
            await handler.caught_up(uow, self._of.partition, checked_at, any_parked=any_parked)

    async def _lock(self, uow: UnitOfWork, held: Checkpoint) -> bool:
        return await checkpoints.lock(uow, self._of, epoch=held.epoch, expected_offset=held.next_offset)

    def _sort(self, batch: Batch, held: Checkpoint, parked_keys: Collection[str]) -> _Sorted:
        """Ends before the first record at which the partition must stop."""
        found = _Sorted(batch.next_offset, set(held.unreadable_run))
        for raw, decoded in zip(batch.raw, batch.decoded, strict=True):
            if raw.key in parked_keys:
                found.parked.append(raw)
            elif isinstance(decoded, Record):
                found.good.append(decoded)
                found.run.clear()
            elif isinstance(decoded, InvalidMessage) and self._is_bearable(raw, found.run):
                found.refused.append((raw, decoded))
                found.run.add(raw.key or "")
            else:
                found.broken, found.next_offset = (raw, self._why_not(decoded)), raw.offset
                break
            found.last = raw
        return found

    def _is_bearable(self, raw: Raw, run: Collection[str]) -> bool:
        return len({*run, raw.key or ""}) < self._unreadable_keys_max

    def _why_not(self, decoded: Decoded) -> Exception:
        if isinstance(decoded, Undecodable):
            return decoded.error
        assert isinstance(decoded, InvalidMessage)
        keys = self._unreadable_keys_max
        return TooManyUnreadable(f"unreadable records of {keys} keys in a row, the last: {decoded.code}")


def _advance(found: _Sorted) -> Advance:
    last = found.last
    return Advance(
        next_offset=found.next_offset,
        last_offset=None if last is None else last.offset,
        last_id=None if last is None else identity_of(last),
        unreadable_run=frozenset(found.run),
    )


def _held_at(held: Checkpoint, to: Advance) -> Checkpoint:
    return replace(
        held,
        next_offset=to.next_offset,
        last_offset=held.last_offset if to.last_offset is None else to.last_offset,
        last_id=to.last_id or held.last_id,
        unreadable_run=to.unreadable_run,
    )
