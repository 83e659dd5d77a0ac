"""The columns of a flat table, and which of a file's are meant by them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import yaml
from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from schemas.checkouts import IdentityKind
from schemas.members import MessageChannel, Purpose
from services.ops.importing.found import ImportMisused
from services.ops.importing.values import Kind

Part = Literal["record", "line", "tender", "discount", "identity", "consent"]
Subject = Literal["checkouts", "members", "activities"]
Tables = Mapping[str, "Column"]

MAP_BYTES_MAX = 256 * 1024
NAME_COLUMNS = ("source", "store", "terminal", "business_day", "sequence", "kind")
"""What tells one checkout from every other; its rows stand together."""


class Column(NamedTuple):
    """`path` is where the value stands in the record, or in the line, tender or discount of its row."""

    name: str
    path: tuple[str, ...]
    kind: Kind = "text"
    part: Part = "record"


def _each(part: Part, kind: Kind, names: str) -> Iterator[Column]:
    return (Column(name, (name,), kind, part) for name in names.split())


def _inside(parent: str, part: Part, kind: Kind, names: str) -> Iterator[Column]:
    """`member_value` stands in the record's member; `tender_amount` in the row's tender."""
    for name in names.split():
        yield Column(f"{parent}_{name}", (parent, name) if part == "record" else (name,), kind, part)


def _by_name(*columns: Column) -> Tables:
    return MappingProxyType({column.name: column for column in columns})


_WHO = tuple(_inside("member", "record", "text", "kind value"))
_CHECKOUTS = _by_name(
    *_each("record", "text", "source store terminal kind currency channel receipt partner time_zone txn_uuid"),
    *_each("record", "day", "business_day"),
    *_each("record", "whole", "sequence"),
    *_each("record", "instant", "occurred_at recorded_at"),
    *_each("record", "amount", "rounding"),
    *_each("record", "truth", "tax_included"),
    *_each("record", "words", "flags"),
    *_WHO,
    *_inside("original", "record", "text", "store terminal kind"),
    *_inside("original", "record", "day", "business_day"),
    *_inside("original", "record", "whole", "sequence"),
    *_each("line", "whole", "line of_line"),
    *_each("line", "text", "sku category quantity gtin serial name"),
    *_each("line", "amount", "net tax unit_price"),
    *_inside("discount", "discount", "text", "id"),
    *_inside("discount", "discount", "amount", "amount"),
    *_each("tender", "text", "tender"),
    *_inside("tender", "tender", "text", "type reference"),
    *_inside("tender", "tender", "amount", "amount"),
)
_ACTIVITIES = _by_name(
    *_WHO, *_each("record", "text", "source activity reference"), *_each("record", "instant", "occurred_at")
)
_MEMBERS = _by_name(
    *_each("record", "text", "name locale time_zone"),
    *_each("record", "birthday", "birthday"),
    *_inside("birthday", "record", "text", "calendar"),
    *_inside("birthday", "record", "truth", "leap_month"),
    *_each("identity", "text", " ".join(kind for kind in get_args(IdentityKind) if kind != "member")),
    *(
        Column(f"consent_{purpose}_{channel}", (purpose, channel), "truth", "consent")
        for purpose in get_args(Purpose)
        for channel in get_args(MessageChannel)
    ),
    Column("consent_source", ("source",), "text", "consent"),
)
TABLES: Mapping[Subject, Tables] = MappingProxyType(
    {"checkouts": _CHECKOUTS, "members": _MEMBERS, "activities": _ACTIVITIES}
)
_NEEDED: Mapping[Subject, tuple[str, ...]] = MappingProxyType(
    {
        "checkouts": (*NAME_COLUMNS, "occurred_at", "currency", "line", "sku", "net", "tender_type"),
        "members": (),
        "activities": ("member_kind", "member_value", "activity", "reference", "occurred_at"),
    }
)


class FileMap(BaseModel):
    """What `--map` says: `columns` our name → theirs, `constants` for all rows, `values` of a column, theirs → ours."""

    # Text only: YAML reads the store 0457 as an octal number.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    columns: dict[str, StrictStr] = {}
    constants: dict[str, StrictStr] = {}
    values: dict[str, dict[StrictStr, StrictStr]] = {}


@dataclass(frozen=True)
class Layout:
    """The columns of one file; `by_place` tells which of ours stands where, `ignored` what is none of ours."""

    subject: Subject
    by_place: Mapping[int, Column]
    constants: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    ignored: tuple[str, ...]

    def cells(self, row: Sequence[Any]) -> dict[str, Any]:
        """By the name of our column; empty ones are left out."""
        cells: dict[str, Any] = dict(self.constants)
        for place, column in self.by_place.items():
            cell = row[place].strip() if isinstance(row[place], str) else row[place]
            # What pandas writes for a number that is not there is not equal to itself.
            if cell is None or cell == "" or cell != cell:
                continue
            known = self.values.get(column.name)
            cells[column.name] = known.get(cell, cell) if known and isinstance(cell, str) else cell
        return cells


def read_map(file: Path | None) -> FileMap:
    if file is None:
        return FileMap()
    try:
        with file.open("rb") as opened:
            document = yaml.safe_load(opened.read(MAP_BYTES_MAX))
        return FileMap.model_validate(document or {})
    except OSError as error:
        raise ImportMisused(f"{file} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ImportMisused(f"{file} is no YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, each['loc']))}: {_map_fault(each)}" for each in error.errors()[:5])
        raise ImportMisused(f"{file}: " + "; ".join(faults)) from None


def lay_out(subject: Subject, header: Sequence[str], given: FileMap) -> Layout:
    """Raises ImportMisused where a column is missing, stands twice, or is mapped and not there."""
    named = [name.strip() for name in header]
    ours = {theirs: name for name, theirs in given.columns.items()}
    by_place: dict[int, Column] = {}
    for place, name in enumerate(named):
        column = column_of(subject, ours.get(name, "" if name in given.columns else name.casefold()))
        if column is not None:
            by_place[place] = column
    for name in (*given.columns, *given.constants, *given.values):
        if column_of(subject, name) is None:
            raise ImportMisused(f"the map names {name}, which is no column of {subject}: {known_columns(subject)}")
    _check(subject, named, by_place.values(), given)
    ignored = tuple(name for place, name in enumerate(named) if place not in by_place and name)
    return Layout(subject, by_place, given.constants, given.values, ignored)


def column_of(subject: Subject, name: str) -> Column | None:
    if subject != "members" and name.startswith("attribute."):
        return Column(name, ("attributes", name.removeprefix("attribute.")))
    return TABLES[subject].get(name)


def known_columns(subject: Subject) -> str:
    return ", ".join((*TABLES[subject], *(("attribute.NAME",) if subject != "members" else ())))


def _check(subject: Subject, header: Sequence[str], found: Collection[Column], given: FileMap) -> None:
    absent = [theirs for theirs in given.columns.values() if theirs not in header]
    if absent:
        raise ImportMisused(f"the map names {', '.join(absent)}, and the file has {_shown(header)}")
    names = [column.name for column in found]
    twice = sorted({name for name in names if names.count(name) > 1 or name in given.constants})
    if twice:
        raise ImportMisused(f"{', '.join(twice)} is given more than once, by columns or by a constant of the map")
    missing = [name for name in _NEEDED[subject] if name not in names and name not in given.constants]
    if subject == "members" and not any(column.part == "identity" for column in found):
        missing = ["one of card, phone, email, app, wechat, external"]
    if missing:
        raise ImportMisused(
            f"columns are missing: {', '.join(missing)}; the file has {_shown(header)}."
            " Rename them, or say what is what with --map (see --help)"
        )


def _shown(header: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in header[:40]) or "none"


def _map_fault(error: Any) -> str:
    match error["type"]:
        case "string_type":
            return "must be text: put it in quotation marks, as 0457 without them is a number"
        case "extra_forbidden":
            return "is unknown; a map has columns, constants and values"
        case _:
            return str(error["msg"])
