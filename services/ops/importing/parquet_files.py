"""Parquet, by row groups: nested as the contract's documents, or flat as a table."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from services.ingest.application.refusals import Fault
from services.ops.importing.assembling import assemble
from services.ops.importing.columns import FileMap, Layout, Subject, lay_out
from services.ops.importing.found import Found, ImportMisused, Place, TableRow
from services.ops.importing.values import Spelling, UnfitValue

ROWS_AT_ONCE = 1_000
AMOUNTS = frozenset({"net", "tax", "unit_price", "amount", "rounding"})
MAPS = frozenset({"attributes", "proof"})


class ParquetSource:
    """Places count rows."""

    def __init__(self, path: Path, *, subject: Subject, mapping: FileMap, spelling: Spelling) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise ImportMisused(f"{path} is no Parquet file: {error}") from None
        self._subject = subject
        self._spelling = spelling
        schema: pa.Schema = self._file.schema_arrow
        self.is_nested = any(pa.types.is_nested(field.type) for field in schema if field.name in _nested_names(subject))
        if self.is_nested and mapping != FileMap():
            raise ImportMisused(f"{path} is nested as the contract is: --map is for flat columns")
        self.layout: Layout | None = None if self.is_nested else lay_out(subject, schema.names, mapping)
        self.ignored = self.layout.ignored if self.layout else ()

    def records(self, begin: Place) -> Iterator[Found]:
        if self.layout is None:
            return self._documents(begin)
        return assemble(self._subject, self._rows(begin, self.layout), self._spelling)

    def share(self, place: Place) -> float:
        return min(place.offset / self._file.metadata.num_rows, 1.0) if self._file.metadata.num_rows else 1.0

    def _documents(self, begin: Place) -> Iterator[Found]:
        names = self._file.schema_arrow.names
        for number, row in self._values(begin):
            faults: list[Fault] = []
            document = _Nested(self._spelling, faults).plain(dict(zip(names, row, strict=True)))
            yield Found(number, Place(number, number), to_json(document, inf_nan_mode="null"), tuple(faults))

    def _rows(self, begin: Place, layout: Layout) -> Iterator[TableRow]:
        for number, row in self._values(begin):
            yield TableRow(number, Place(number, number), layout.cells(row))

    def _values(self, begin: Place) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Rows behind the place with their numbers from 1; whole row groups before it are not read."""
        behind = 0
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if behind + rows > begin.offset:
                for number, row in enumerate(self._row_group(group), start=behind + 1):
                    if number > begin.offset:
                        yield number, row
            behind += rows

    def _row_group(self, group: int) -> Iterator[tuple[Any, ...]]:
        try:
            for batch in self._file.iter_batches(ROWS_AT_ONCE, row_groups=[group]):
                columns = [_to_microseconds(column).to_pylist() for column in batch.columns]
                yield from zip(*columns, strict=True)
        except (pa.ArrowException, OverflowError) as error:
            raise ImportMisused(f"row group {group} of the Parquet file cannot be read: {error}") from None


class _Nested:
    """A row as a JSON document: nulls left out, amounts exact, instants with their offset."""

    def __init__(self, spelling: Spelling, faults: list[Fault]) -> None:
        self._spelling = spelling
        self._faults = faults
        self._currency: Any = None

    def plain(self, row: Mapping[str, Any]) -> dict[str, Any]:
        self._currency = row.get("currency")
        return {name: self._value(f"/{name}", name, each) for name, each in row.items() if each is not None}

    def _value(self, at: str, name: str, value: Any) -> Any:
        # Arrow gives the pairs of a map as tuples; a list of structs is none.
        if isinstance(value, list) and name in MAPS and all(isinstance(pair, tuple) for pair in value):
            value = dict(value)
        if isinstance(value, dict):
            given = ((key, each) for key, each in value.items() if each is not None)
            return {key: self._value(f"{at}/{key}", str(key), each) for key, each in given}
        if isinstance(value, list):
            return [self._value(f"{at}/{place}", name, each) for place, each in enumerate(value)]
        try:
            return self._scalar(at, name, value)
        except UnfitValue as unfit:
            self._faults.append(Fault(at, unfit.code, unfit.detail))
            return str(value)

    def _scalar(self, at: str, name: str, value: Any) -> Any:
        if name in AMOUNTS and not at.startswith("/attributes/"):
            return self._spelling.amount(value, self._currency)
        if isinstance(value, datetime):
            return self._spelling.read("day" if name == "business_day" else "instant", value)
        if isinstance(value, date):
            return value.isoformat()
        return f"{value:f}" if isinstance(value, Decimal) else value


def _nested_names(subject: Subject) -> tuple[str, ...]:
    return {"checkouts": ("lines", "tenders"), "members": ("identities",), "activities": ("member",)}[subject]


def _to_microseconds(column: Any) -> Any:
    # Python knows no nanoseconds, and a checkout names none.
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return column
