"""Rows of a flat table put together to the documents of the contract."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic_core import to_json

from schemas.checkouts import LINES_MAX, TENDERS_MAX
from services.ingest.application.refusals import Fault
from services.ops.importing.columns import NAME_COLUMNS, Column, Subject, column_of
from services.ops.importing.found import Found, TableRow
from services.ops.importing.values import Spelling, UnfitValue

ROWS_MAX = LINES_MAX + TENDERS_MAX
CHECKOUTS_REMEMBERED = 200_000
"""To notice that rows of one come again later; further back the door notices, by the id."""

Rows = Iterable[TableRow]
Name = tuple[Any, ...]


def assemble(subject: Subject, rows: Rows, spelling: Spelling) -> Iterator[Found]:
    return _ASSEMBLE[subject](rows, spelling)


class _Document:
    """A document as it grows, and the faults of its cells by their place in it."""

    def __init__(self, spelling: Spelling) -> None:
        self.value: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self._spelling = spelling

    def put(self, into: dict[str, Any], at: str, column: Column, cell: Any, currency: Any = None) -> None:
        """Keeps a cell that is unfit as it is, for a person to mend."""
        try:
            value = self._spelling.read(column.kind, cell, currency)
        except UnfitValue as unfit:
            self.fault("/".join((at, *column.path)), unfit.code, unfit.detail)
            value = cell
        *parents, leaf = column.path
        for parent in parents:
            into = into.setdefault(parent, {})
            # A whole that was unfit stays as it was written: its parts have no place in it.
            if not isinstance(into, dict):
                return
        # The parts of a birthday come from several columns.
        into[leaf] = into[leaf] | value if isinstance(into.get(leaf), dict) and isinstance(value, dict) else value

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))

    def found(self, first: TableRow, last: TableRow) -> Found:
        return Found(first.row, last.end, to_json(self.value, inf_nan_mode="null"), tuple(self.faults))


@dataclass
class _Group:
    """The rows of one checkout; those `between` them that cannot be read were probably its own."""

    rows: list[TableRow]
    between: list[TableRow] = field(default_factory=list)
    too_many: bool = False

    def add(self, row: TableRow) -> None:
        self.too_many = len(self.rows) >= ROWS_MAX
        if self.too_many:
            self.rows[-1] = replace(self.rows[-1], end=row.end)
        else:
            self.rows.append(row)


def _checkouts(rows: Rows, spelling: Spelling) -> Iterator[Found]:
    earlier: OrderedDict[int, int] = OrderedDict()
    group: _Group | None = None
    broken: list[TableRow] = []
    for row in rows:
        if row.fault is not None and group is None:
            yield _broken(row)
        elif row.fault is not None:
            broken.append(row)
            # So many are none of its rows; a file of nothing else is not held until its end.
            if len(broken) == ROWS_MAX:
                yield from _closed(group, broken, spelling, earlier)
                group, broken = None, []
        elif group is not None and _name(row) == _name(group.rows[0]):
            group.between += broken
            group.add(row)
            broken = []
        else:
            yield from _closed(group, broken, spelling, earlier)
            group, broken = _Group([row]), []
    yield from _closed(group, broken, spelling, earlier)


def _closed(
    group: _Group | None, broken: Sequence[TableRow], spelling: Spelling, earlier: OrderedDict[int, int]
) -> Iterator[Found]:
    if group is not None:
        yield _checkout(group, spelling, earlier)
        end = group.rows[-1].end
        yield from (_broken(replace(row, end=end)) for row in group.between)
    yield from map(_broken, broken)


def _checkout(group: _Group, spelling: Spelling, earlier: OrderedDict[int, int]) -> Found:
    document, rows = _Document(spelling), group.rows
    _check_together(document, group, earlier)
    said: dict[str, Any] = {}
    for row in rows:
        for column, cell in _of(row, "record"):
            if said.setdefault(column.name, cell) != cell:
                detail = f"the rows of one checkout say different things, row {row.row}"
                document.fault("/" + "/".join(column.path), "rows_disagree", detail)
    for name, cell in said.items():
        document.put(document.value, "", _column("checkouts", name), cell, said.get("currency"))
    _add_lines(document, rows, said.get("currency"))
    _add_tenders(document, rows, said.get("currency"))
    return document.found(rows[0], rows[-1])


def _check_together(document: _Document, group: _Group, earlier: OrderedDict[int, int]) -> None:
    name = hash(_name(group.rows[0]))
    if name in earlier:
        detail = f"rows of this checkout stand at {earlier[name]} already: sort the file so that they stand together"
        document.fault("", "rows_apart", detail)
    earlier[name] = group.rows[0].row
    if len(earlier) > CHECKOUTS_REMEMBERED:
        earlier.popitem(last=False)
    if group.too_many:
        document.fault("/lines", "too_many_rows", f"more than {ROWS_MAX} rows of one checkout")
    for row in group.between:
        document.fault("", "row_unreadable", f"row {row.row} stands between its rows and cannot be read")


def _add_lines(document: _Document, rows: Sequence[TableRow], currency: Any) -> None:
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {}
        discount: dict[str, Any] = {}
        at = f"/lines/{len(lines)}"
        for column, cell in _of(row, "line"):
            document.put(line, at, column, cell, currency)
        for column, cell in _of(row, "discount"):
            document.put(discount, f"{at}/discounts/0", column, cell, currency)
        if discount:
            line["discounts"] = [discount]
        if line:
            lines.append(line)
    if lines:
        document.value["lines"] = lines


def _add_tenders(document: _Document, rows: Sequence[TableRow], currency: Any) -> None:
    tenders: list[dict[str, Any]] = []
    numbered: dict[str, dict[str, Any]] = {}
    for row in rows:
        cells = _of(row, "tender")
        tender: dict[str, Any] = {}
        for column, cell in cells:
            document.put(tender, f"/tenders/{len(tenders)}", column, cell, currency)
        number = tender.pop("tender", None)
        # A constant type alone says how a tender was paid, not that there is one in each row.
        if not tender or (number is None and "amount" not in tender and tenders):
            continue
        if number is None or number not in numbered:
            tenders.append(tender)
            numbered |= {} if number is None else {number: tender}
        elif numbered[number] != tender:
            document.fault("/tenders", "rows_disagree", f"tender {number} is told in two ways, row {row.row}")
    if tenders and document.value.get("kind") != "void":
        document.value["tenders"] = _completed(tenders, document.value)


def _completed(tenders: list[dict[str, Any]], checkout: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One tender without an amount paid for everything: a file may know how, and no more."""
    if len(tenders) > 1 or "amount" in tenders[0]:
        return tenders
    lines = checkout.get("lines", ())
    parts = [line.get("net") for line in lines] + [checkout.get("rounding", 0)]
    if checkout.get("tax_included") is False:
        parts += [line.get("tax", 0) for line in lines]
    return [tenders[0] | {"amount": sum(parts)}] if all(isinstance(part, int) for part in parts) else tenders


def _members(rows: Rows, spelling: Spelling) -> Iterator[Found]:
    for row in rows:
        yield _broken(row) if row.fault else _member(row, spelling)


def _member(row: TableRow, spelling: Spelling) -> Found:
    document = _Document(spelling)
    consents: dict[str, bool] = {}
    for name, cell in row.cells.items():
        column = _column("members", name)
        if column.part == "record":
            document.put(document.value, "", column, cell)
        elif column.part == "identity":
            identities = document.value.setdefault("identities", [])
            identity = {"kind": name}
            document.put(identity, f"/identities/{len(identities)}", column._replace(path=("value",)), cell)
            identities.append(identity)
        else:
            document.put(consents, "/consents", column._replace(path=(name,)), cell)
    if consents:
        document.value["consents"] = _consents(consents)
    return document.found(row, row)


def _consents(said: dict[str, Any]) -> list[dict[str, Any]]:
    source = said.pop("consent_source", None)
    proof = {"proof": {"source": source}} if source else {}
    consents = []
    for name, granted in said.items():
        purpose, channel = _column("members", name).path
        consents.append({"purpose": purpose, "channel": channel, "granted": granted} | proof)
    return consents


def _activities(rows: Rows, spelling: Spelling) -> Iterator[Found]:
    for row in rows:
        if row.fault:
            yield _broken(row)
            continue
        document = _Document(spelling)
        for name, cell in row.cells.items():
            document.put(document.value, "", _column("activities", name), cell)
        yield document.found(row, row)


def _broken(row: TableRow) -> Found:
    assert row.fault is not None
    return Found(row.row, row.end, row.raw, (row.fault,))


def _name(row: TableRow) -> Name:
    return tuple(row.cells.get(name) for name in NAME_COLUMNS)


def _of(row: TableRow, part: str) -> list[tuple[Column, Any]]:
    columns = ((_column("checkouts", name), cell) for name, cell in row.cells.items())
    return [(column, cell) for column, cell in columns if column.part == part]


def _column(subject: Subject, name: str) -> Column:
    column = column_of(subject, name)
    assert column is not None
    return column


_ASSEMBLE: Mapping[Subject, Callable[[Rows, Spelling], Iterator[Found]]] = MappingProxyType(
    {"checkouts": _checkouts, "members": _members, "activities": _activities}
)
