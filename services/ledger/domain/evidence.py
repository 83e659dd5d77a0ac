"""What facts tell of how they came about: what each rule gave or takes, line by line, and what came back."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

LineShare = tuple[int, int]


class CapUse(NamedTuple):
    """The allowance that an award met: `used` points of `limit` were gone in this period before it."""

    period: str
    used: int
    limit: int


class CarryChange(NamedTuple):
    """The hidden remainder of a rule before and after an award, in the unit's smallest step."""

    before: Fraction
    after: Fraction


class Award(NamedTuple):
    """What one rule gave: `points` went into `lot`, of the `uncapped` ones that rounding left.

    `lines` are pairs (line number, exact points over the common denominator `over`), before rounding and cap; empty for
    a rule that does not look at lines.
    """

    rule: str
    unit: str
    points: int
    uncapped: int
    lot: str
    over: int
    lines: tuple[LineShare, ...]
    cap: CapUse | None
    carry: CarryChange | None


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a purchase has by one rule, before and after; only what changes is told.

    `uncapped` is what it would have after without a cap, `period` the period of the cap. Where a remainder is carried
    across purchases, `after` may fall below zero: the remainder that goes had been counted by a later purchase.
    """

    rule: str
    unit: str
    lot: str
    before: int
    after: int
    uncapped: int
    period: str | None
    carry: CarryChange | None


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """A line that comes back: `of_line` is the line of the original, None where only the sku tells."""

    line: int
    of_line: int | None
    sku: str
    quantity: str
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class BroughtBack:
    """How much of a line of the original has come back so far, all returns together, never more than was sold."""

    line: int
    quantity: str
    net: int
    tax: int


@dataclass(frozen=True, slots=True)
class Waived:
    """Points that should have been taken back and were not, by the unit's policy."""

    unit: str
    points: int
