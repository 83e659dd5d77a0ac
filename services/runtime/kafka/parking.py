"""A key parked by hand: from its position on, nothing of it is handled until it is redriven."""

from dataclasses import dataclass

from sqlalchemy import text

from services.runtime.kafka import checkpoints
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.postgres.unit_of_work import UnitOfWork


class CannotPark(Exception):
    """Says what there is to do instead."""


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """Records of `key` from `next_offset` on go aside; `parked_by` is who parked it first."""

    key: str
    next_offset: int
    parked_by: str


async def park_key(uow: UnitOfWork, of: PartitionId, *, key: str, offset: int, by: str) -> ParkedKey:
    """Parks the key of the record at `offset`, which must not be handled yet. Whoever stands still on that record
    goes on."""
    position = await checkpoints.locked_position(uow, of)
    if position is None:
        raise CannotPark(f"{of.consumer} holds no position in {of.topic}/{of.partition}")
    if position > offset:
        raise CannotPark(
            f"{of.consumer} stands at {position} of {of.topic}/{of.partition}: what came of record {offset} is decided"
        )
    parked_by: str = (
        await uow.connection.execute(_PARK_KEY, {"consumer": of.consumer, "topic": of.topic, "key": key, "by": by})
    ).scalar_one()
    # A batch that waits for this row has looked for parked keys before: it must come again.
    await checkpoints.call_back(uow, of)
    return ParkedKey(key, position, parked_by)


_PARK_KEY = text("""
    INSERT INTO parked_key (consumer, topic, key, parked_by) VALUES (:consumer, :topic, :key, :by)
    ON CONFLICT (consumer, topic, key) DO UPDATE SET parked_by = parked_key.parked_by
    RETURNING parked_by
""")
