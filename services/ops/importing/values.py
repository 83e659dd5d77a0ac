"""Cells of a table as values of a document: exact, never by way of a float, and refused where they were damaged."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

Amounts = Literal["minor", "decimal", "decimal-comma"]
Kind = Literal["text", "whole", "amount", "instant", "day", "truth", "words", "birthday"]

_WITHOUT_DECIMALS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
)  # fmt: skip
DECIMALS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_WITHOUT_DECIMALS, 0)
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)
"""Of ISO 4217, where they are not two."""

_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_EXCHANGED = str.maketrans(".,", ",.")
_SHORTENED = re.compile(r"[0-9]([.,][0-9]+)?E\+[0-9]{2,}")
_BIRTHDAY = re.compile(r"(?:([0-9]{4})-|-{0,2})([0-9]{2})-([0-9]{2})")
_TRUE, _FALSE = frozenset({"true", "1", "yes", "y", "是"}), frozenset({"false", "0", "no", "n", "否"})


class UnfitValue(Exception):
    """A cell that cannot become what its column holds; the detail never quotes it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a table writes what a document writes in one way; `zone` is that of instants without an offset."""

    amounts: Amounts = "minor"
    zone: ZoneInfo | None = None

    def read(self, kind: Kind, cell: Any, currency: Any = None) -> Any:
        """Raises UnfitValue. What the contract refuses with a better word is passed on as it is."""
        match kind:
            case "amount":
                return self.amount(cell, currency)
            case "instant":
                return self.instant(cell)
            case _:
                return _READ[kind](cell)

    def amount(self, cell: Any, currency: Any) -> int:
        if self.amounts == "minor":
            return _minor(cell)
        if not isinstance(currency, str):
            raise UnfitValue("currency_missing", "a decimal amount needs the currency, which says how many decimals")
        decimals = DECIMALS.get(currency, 2)
        scaled = self._decimal(cell).scaleb(decimals)
        if scaled != scaled.to_integral_value():
            raise UnfitValue("too_many_decimals", f"{currency} has {decimals} decimals")
        return int(scaled)

    def instant(self, cell: Any) -> str:
        moment = cell if isinstance(cell, datetime) else _parsed(cell)
        if moment is None:
            return str(cell)
        if moment.tzinfo is not None:
            return moment.isoformat()
        if self.zone is None:
            raise UnfitValue("offset_missing", "write the offset (+08:00), or pass --time-zone Asia/Shanghai")
        # Of an hour that comes twice the first is meant: a sale must not be lost for it.
        local = moment.replace(tzinfo=self.zone)
        # Exports write the ends of the calendar where there is no time; there nothing can be converted.
        if moment.year in (MINYEAR, MAXYEAR):
            return local.isoformat()
        if local.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != moment:
            raise UnfitValue("no_such_time", "clocks were put forward past this time: it never was in --time-zone")
        return local.isoformat()

    def _decimal(self, cell: Any) -> Decimal:
        if isinstance(cell, Decimal):
            return cell
        if isinstance(cell, int) and not isinstance(cell, bool):
            return Decimal(cell)
        if not isinstance(cell, str):
            raise UnfitValue("inexact_amount", "a binary fraction is not exact: write decimals, or minor units")
        # With a comma for decimals a point stands for thousands: the two are exchanged, so that 1.450 is refused.
        plain = cell.translate(_EXCHANGED) if self.amounts == "decimal-comma" else cell
        if not _DECIMAL.fullmatch(plain):
            written = "1450,50" if self.amounts == "decimal-comma" else "1450.50"
            detail = f"an amount is written {written}, without signs for thousands or currency"
            raise UnfitValue("not_an_amount", detail)
        return Decimal(plain)


def _minor(cell: Any) -> int:
    if isinstance(cell, Decimal) and cell == cell.to_integral_value():
        return int(cell)
    if isinstance(cell, Decimal | float) or (isinstance(cell, str) and re.search(r"[0-9][.,][0-9]", cell)):
        raise UnfitValue(
            "decimal_amount", "amounts are whole minor units, 1450 for 14.50; pass --amounts decimal to convert them"
        )
    return _whole(cell)


def _whole(cell: Any) -> int:
    if isinstance(cell, str) and _WHOLE.fullmatch(cell):
        return int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    raise UnfitValue("not_a_whole_number", "write it in digits alone, without decimals")


def _text(cell: Any) -> str:
    if isinstance(cell, date):
        return cell.isoformat()
    if not isinstance(cell, str):
        raise UnfitValue("number_for_text", "a number has lost its leading zeros: make the column one of text")
    if _SHORTENED.fullmatch(cell):
        raise UnfitValue(
            "shortened_number", "a spreadsheet shortened this number and its digits are lost: export the column as text"
        )
    return cell


def _day(cell: Any) -> str:
    return cell.date().isoformat() if isinstance(cell, datetime) else _text(cell)


def _truth(cell: Any) -> bool:
    if isinstance(cell, bool):
        return cell
    word = str(cell).strip().casefold()
    if word not in _TRUE | _FALSE:
        raise UnfitValue("not_true_or_false", "write true or false")
    return word in _TRUE


def _words(cell: Any) -> list[str]:
    return [str(each) for each in cell] if isinstance(cell, list) else re.split(r"[\s|,;]+", _text(cell).strip())


def _birthday(cell: Any) -> dict[str, int]:
    parts = _BIRTHDAY.fullmatch(_day(cell))
    if parts is None:
        raise UnfitValue("not_a_birthday", "write 1992-02-29, or 02-29 without the year")
    year, month, day = parts.groups()
    return {"month": int(month), "day": int(day)} | ({"year": int(year)} if year else {})


def _parsed(cell: Any) -> datetime | None:
    text = _text(cell)
    # A day alone would become its midnight, which nobody said.
    if len(text) <= len("2026-03-11"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


_READ: Mapping[Kind, Callable[[Any], Any]] = MappingProxyType(
    {"text": _text, "whole": _whole, "day": _day, "truth": _truth, "words": _words, "birthday": _birthday}
)
