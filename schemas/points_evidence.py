"""What the facts of topic `points` are made of: moves, awards, lines, and what comes back."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract, Count, MinorAmount, Points, ShortText, Token

Bucket = Literal["issued", "received", "debt", "pending", "available", "held", "spent", "expired", "reversed", "sent"]
Whole = Annotated[int, Field(strict=True, ge=0)]
Ratio = tuple[Whole, Annotated[int, Field(strict=True, ge=1)]]
"""An exact number: numerator and denominator."""

LotId = Annotated[str, Field(min_length=1, max_length=200)]
"""`points@2027-03-31T16:00:00Z`, `points@never`, with `+<activation>` behind it where points start as pending."""


class Move(Contract):
    """Points of one lot go from one bucket to another; nothing else ever happens to points."""

    unit: Token
    lot: str
    source: Bucket
    target: Bucket
    points: Annotated[Points, Field(ge=1)]


class RecordPosition(Contract):
    """The Kafka record that caused a fact."""

    topic: ShortText
    partition: Count
    offset: Count


class CapUse(Contract):
    """`used` points of `limit` were gone in this period before the award."""

    period: Token
    used: Count
    limit: Count


class CarryChange(Contract):
    """The hidden remainder of a rule before and after the award."""

    before: Ratio
    after: Ratio


class Award(Contract):
    """What one rule gave: `points` of the `uncapped` ones went into `lot`.

    `lines` are pairs (line number, exact points over `over`), before rounding and cap; empty for a rule that does not
    look at lines.
    """

    rule: Token
    unit: Token
    points: Count
    uncapped: Count
    lot: LotId
    over: Annotated[int, Field(strict=True, ge=1)]
    lines: tuple[tuple[int, Whole], ...]
    cap: CapUse | None
    carry: CarryChange | None


class RecordedLine(Contract):
    """A line as sold; `eligible` is what of it counted, in minor units over the purchase's `eligible_over`."""

    line: int
    sku: ShortText
    category: str | None
    quantity: str
    net: MinorAmount
    tax: MinorAmount
    eligible: Whole


class RecordedTender(Contract):
    type: Token
    amount: MinorAmount
    reference: ShortText | None


class RuleChange(Contract):
    """What a purchase has by one rule, before and after; `uncapped` is what it would have after without a cap.

    `period` is the period of the cap. Where a remainder is carried across purchases, a return may take a point more
    than its purchase gave: then `after` is below zero.
    """

    rule: Token
    unit: Token
    lot: LotId
    before: Points
    after: Points
    uncapped: Points
    period: Token | None
    carry: CarryChange | None


class ReturnedLine(Contract):
    """A line that comes back; `of_line` is the line of the original, where the till named it."""

    line: int
    of_line: int | None
    sku: ShortText
    quantity: str
    net: MinorAmount
    tax: MinorAmount


class BroughtBack(Contract):
    """How much of a line of the original has come back so far, never more than was sold."""

    line: int
    quantity: str
    net: MinorAmount
    tax: MinorAmount


class Waived(Contract):
    """Points that should have been taken and were not, by the unit's `on_clawback`."""

    unit: Token
    points: Annotated[Points, Field(ge=1)]
