"""What is left of a sale after everything that came back, whatever the order in which it did."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.ledger.domain.evidence import BroughtBack, ReturnedLine
from services.ledger.domain.facts import Line

MORE_THAN_SOLD = "more_than_sold"
UNKNOWN_LINE = "unknown_line"

_DECIMALS = 6
_ONE = 1_000_000


@dataclass(frozen=True, slots=True)
class Rest:
    """`lines` of which something is left; `review` says what does not fit the sale, None = everything does."""

    lines: tuple[Line, ...]
    brought_back: tuple[BroughtBack, ...]
    review: str | None


class _Amounts(NamedTuple):
    """Of a line: quantity in millionths, net and tax in minor units."""

    quantity: int
    net: int
    tax: int


_NOTHING = _Amounts(0, 0, 0)


def rest_of(sold: Sequence[Line], returned: Iterable[ReturnedLine]) -> Rest:
    """What comes back is taken from the line that it names; where it names none, from the lines of its sku in turn."""
    by_line, by_sku, is_unknown = _addressed(sold, returned)
    left, back, is_more = [], [], False
    for line in sold:
        has = _amounts(line)
        named = by_line.get(line.line, _NOTHING)
        is_more = is_more or _exceeds(named, has)
        took = _least(has, _sum(named, by_sku.get(line.sku, _NOTHING)))
        if line.sku in by_sku:
            by_sku[line.sku] = _less(by_sku[line.sku], _less(took, _least(has, named)))
        took = _with_tax(has, took)
        back += [_brought_back(line, took)] if any(took) else []
        left += [] if _is_gone(has, took) else [_without(line, took)]
    is_more = is_more or any(over.net or over.quantity for over in by_sku.values())
    review = UNKNOWN_LINE if is_unknown else MORE_THAN_SOLD if is_more else None
    return Rest(tuple(left), tuple(back), review)


def nothing_of(sold: Sequence[Line]) -> Rest:
    """After a void, which takes back everything."""
    return Rest((), tuple(_brought_back(line, _amounts(line)) for line in sold), None)


def _addressed(
    sold: Sequence[Line], returned: Iterable[ReturnedLine]
) -> tuple[Mapping[int, _Amounts], dict[str, _Amounts], bool]:
    skus = {line.line: line.sku for line in sold}
    by_line: dict[int, _Amounts] = {}
    by_sku: dict[str, _Amounts] = {}
    is_unknown = False
    for back in returned:
        amounts = _Amounts(_millionths(back.quantity), back.net, back.tax)
        number = back.line if back.of_line is None else back.of_line
        if number in skus and (back.of_line is not None or skus[number] == back.sku):
            by_line[number] = _sum(by_line.get(number, _NOTHING), amounts)
        elif back.of_line is None and back.sku in skus.values():
            by_sku[back.sku] = _sum(by_sku.get(back.sku, _NOTHING), amounts)
        else:
            is_unknown = True
    return by_line, by_sku, is_unknown


def _with_tax(has: _Amounts, took: _Amounts) -> _Amounts:
    # Many tills leave the tax of a return to be reckoned: it goes in the share of the net.
    return took if took.tax or not has.net else took._replace(tax=has.tax * took.net // has.net)


def _is_gone(has: _Amounts, took: _Amounts) -> bool:
    # A line is measured by its money; only what was given away is measured by its number.
    return took.net == has.net if has.net else took.quantity == has.quantity


def _without(line: Line, took: _Amounts) -> Line:
    left = _less(_amounts(line), took)
    return Line(line.line, line.sku, line.category, _decimal(left.quantity), left.net, left.tax)


def _brought_back(line: Line, took: _Amounts) -> BroughtBack:
    return BroughtBack(line.line, _decimal(took.quantity), took.net, took.tax)


def _amounts(line: Line) -> _Amounts:
    return _Amounts(_millionths(line.quantity), line.net, line.tax)


def _exceeds(one: _Amounts, other: _Amounts) -> bool:
    return one.net > other.net or one.quantity > other.quantity


def _sum(one: _Amounts, other: _Amounts) -> _Amounts:
    return _Amounts(one.quantity + other.quantity, one.net + other.net, one.tax + other.tax)


def _less(one: _Amounts, other: _Amounts) -> _Amounts:
    return _Amounts(one.quantity - other.quantity, one.net - other.net, one.tax - other.tax)


def _least(one: _Amounts, other: _Amounts) -> _Amounts:
    return _Amounts(min(one.quantity, other.quantity), min(one.net, other.net), min(one.tax, other.tax))


def _millionths(quantity: str) -> int:
    whole, _, decimals = quantity.partition(".")
    return int(whole) * _ONE + int(decimals.ljust(_DECIMALS, "0") or 0)


def _decimal(millionths: int) -> str:
    whole, decimals = divmod(millionths, _ONE)
    return f"{whole}.{decimals:0{_DECIMALS}}".rstrip("0") if decimals else str(whole)
