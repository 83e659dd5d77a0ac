"""What makes a checkout this checkout (its id) and what it says (its fingerprint)."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NewType, Protocol
from uuid import UUID

EventId = NewType("EventId", UUID)
MemberId = NewType("MemberId", UUID)

ID_BYTES = 16


class DiscountContent(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def amount(self) -> int: ...


class LineContent(Protocol):
    """One line as it was parsed: amounts in minor units, the quantity a decimal string."""

    @property
    def line(self) -> int: ...
    @property
    def sku(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def quantity(self) -> str: ...
    @property
    def net(self) -> int: ...
    @property
    def tax(self) -> int: ...
    @property
    def unit_price(self) -> int | None: ...
    @property
    def discounts(self) -> Sequence[DiscountContent]: ...
    @property
    def gtin(self) -> str | None: ...
    @property
    def serial(self) -> str | None: ...
    @property
    def of_line(self) -> int | None: ...


class TenderContent(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def reference(self) -> str | None: ...


class CheckoutContent(Protocol):
    """What the fingerprint reads of a checkout, defaults filled in."""

    @property
    def kind(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def currency(self) -> str: ...
    @property
    def tax_included(self) -> bool: ...
    @property
    def rounding(self) -> int: ...
    @property
    def lines(self) -> Sequence[LineContent]: ...
    @property
    def tenders(self) -> Sequence[TenderContent]: ...


def checkout_id(*, source: str, store: str, business_day: date, terminal: str, sequence: int, kind: str) -> EventId:
    return _id_of(source, store, business_day.isoformat(), terminal, str(sequence), kind)


def second_id(event_id: EventId, fingerprint: bytes) -> EventId:
    """Of another checkout under an id that was taken, once a person has let it in: the same whenever it is decided."""
    return _id_of("second", event_id.hex, fingerprint.hex())


def activity_id(*, source: str, member_id: MemberId, activity: str, reference: str) -> EventId:
    return _id_of(source, str(member_id), activity, reference)


def fingerprint(content: CheckoutContent, original_id: EventId | None) -> bytes:
    """32 bytes, equal where two checkouts say the same of money and goods, however they were spelled.

    SHA-256 of compact JSON; neither the order of lines and tenders nor a member, receipt, flag or name counts.
    """
    return _digest(
        [
            content.kind,
            None if original_id is None else original_id.hex,
            _instant(content.occurred_at),
            content.currency,
            content.tax_included,
            content.rounding,
            sorted([_line(line) for line in content.lines], key=_number),
            sorted([tender.type, tender.amount, tender.reference or ""] for tender in content.tenders),
        ]
    )


def activity_fingerprint(occurred_at: datetime, attributes: object) -> bytes:
    """32 bytes over when it happened (in UTC) and the attributes given, in any order."""
    return _digest([_instant(occurred_at), attributes])


def _id_of(*parts: str) -> EventId:
    # Every part behind its length, so that no two lists of parts run together into the same bytes.
    encoded = [part.encode() for part in parts]
    joined = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return EventId(UUID(bytes=hashlib.sha256(joined).digest()[:ID_BYTES]))


def _line(line: LineContent) -> list[object]:
    return [
        line.line,
        line.sku,
        line.category,
        _plain(line.quantity),
        line.net,
        line.tax,
        line.unit_price,
        [[discount.id, discount.amount] for discount in line.discounts],
        line.gtin,
        line.serial,
        line.of_line,
    ]


def _number(line: list[object]) -> int:
    number = line[0]
    assert isinstance(number, int)
    return number


def _plain(quantity: str) -> str:
    # A till that writes 1 today and 1.00 after its next update still means the same sale.
    whole, _, decimals = quantity.partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _digest(value: list[object]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()
