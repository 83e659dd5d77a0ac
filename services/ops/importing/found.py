"""What a file gives: records one after another, each with its place, its document and what kept it from being one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from services.ingest.application.refusals import Fault

Again = Literal["auto", "resume", "restart"]
Format = Literal["ndjson", "csv", "parquet"]
STANDARD_INPUT = Path("-")


class ImportMisused(Exception):
    """The import cannot begin, or cannot go on: the text says why, and what to do."""


class Place(NamedTuple):
    """Between two records: `offset` in bytes of a text or rows of a Parquet file, `rows` behind it."""

    offset: int
    rows: int


BEGINNING = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Found:
    """One record: `body` is its document as JSON, or what was read of it where there are `faults`.

    `row` is the first line or row that it stands on, counted from 1; `end` is where the next record begins.
    """

    row: int
    end: Place
    body: bytes
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: cells by the name of our column, empty ones left out; `raw` is its text where it has a fault."""

    row: int
    end: Place
    cells: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    raw: bytes = b""


class Source(Protocol):
    """An open file; `ignored` are the columns of a table that mean nothing here."""

    @property
    def ignored(self) -> Sequence[str]: ...

    def records(self, begin: Place) -> Iterator[Found]: ...

    def share(self, place: Place) -> float:
        """How much of the file lies before the place, 0 to 1; 0 where its length is not known."""
        ...
