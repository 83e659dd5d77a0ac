"""Where records go: what can be asked of every place that takes them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from services.ingest.application.refusals import Fault

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Refused:
    """One record was not taken, and another try would not change that."""

    faults: tuple[Fault, ...]


Answer = str | Refused
"""One word for what became of a record, `published` or `registered` or `existing`, else why it was not taken."""


class Target(Protocol[P]):
    """`batch_records` go at once; a batch that is delivered again changes nothing.

    `unknown_fields` counts what records said and the contract does not know: it is left out.
    """

    batch_records: int

    @property
    def unknown_fields(self) -> int: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def read(self, body: bytes) -> P:
        """Raises Unreadable with every fault."""
        ...

    async def deliver(self, batch: Sequence[P]) -> Sequence[Answer]:
        """An answer per record, in order; Transient where the whole batch is to be tried again."""
        ...


class Rehearsal(Generic[P]):
    """Reads as the target does and sends nothing."""

    def __init__(self, target: Target[P]) -> None:
        self._target = target
        self.batch_records = target.batch_records

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def unknown_fields(self) -> int:
        return self._target.unknown_fields

    def read(self, body: bytes) -> P:
        return self._target.read(body)

    async def deliver(self, batch: Sequence[P]) -> Sequence[Answer]:
        return ["valid"] * len(batch)
