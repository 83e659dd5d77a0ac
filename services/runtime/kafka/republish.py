"""Stored facts on their way out once more, through the outbox like the first time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from services.runtime.kafka.resending import resent
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork


@runtime_checkable
class FactsOfKey(Protocol):
    """An optional second face of an outbox source."""

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> Sequence[OutboxRow]:
        """Pointers to all facts of the key, in the order in which they were written; none for a key that has none.

        Takes the lock that whoever writes facts of the key takes: newer ones come behind these in the outbox.
        """
        ...


async def republish(uow: UnitOfWork, source: FactsOfKey, topic: str, key: str) -> int:
    """Answers how many facts will be sent again; readers skip them by number and hash, or by id."""
    rows = await source.facts_of_key(uow, topic, key)
    await uow.add_outbox(replace(row, ref=resent(row.ref)) for row in rows)
    return len(rows)
