"""The seam between the loop and a service."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable

from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import UnitOfWork

T = TypeVar("T")


class Handler(Protocol[T]):
    """Owns the meaning of a topic's records; the loop owns transaction, order, fates and metrics."""

    def decode(self, record: Record[bytes | None]) -> T:
        """Runs outside the transaction. InvalidMessage makes a dead letter of outside input; anything else stops
        the partition."""
        ...

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[T]]) -> None:
        """One batch of one partition in offset order, inside the checkpoint's transaction; may see a record again."""
        ...


@runtime_checkable
class CaughtUp(Protocol):
    """An optional second face of a handler."""

    async def caught_up(self, uow: UnitOfWork, partition: int, checked_at: datetime, *, any_parked: bool) -> None:
        """Everything that stood in `partition` at `checked_at` has been handled or, with `any_parked`, passed by
        because keys of the topic are parked; called now and then."""
        ...
