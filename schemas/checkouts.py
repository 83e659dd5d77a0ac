"""Topic `checkouts`: what a till says happened, raw, before anyone has judged it."""

from datetime import date
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import (
    CategoryPath,
    Code,
    Contract,
    Count,
    Currency,
    Instant,
    MinorAmount,
    MinorUnits,
    Quantity,
    ShortText,
    Token,
)
from schemas.zones import known_zone

CHECKOUT_V1 = "loyalty.checkout.v1"
LINES_MAX = 500
TENDERS_MAX = 100
ATTRIBUTES_MAX = 50

Channel = Literal["store", "web", "app", "partner"]
CheckoutKind = Literal["sale", "return", "void"]
Flag = Literal["training", "offline", "suspended", "cancelled"]
IdentityKind = Literal["member", "card", "phone", "email", "app", "wechat", "external"]
TenderType = Literal["cash", "card", "wallet", "gift_card", "stored_value", "points", "other"]
TimeZone = Annotated[str, AfterValidator(known_zone)]
_TAKEN_IN = object()


class Identity(Contract):
    """How a till names a member: a card number, a phone, an address … Personal; never leaves the door."""

    kind: IdentityKind
    value: Annotated[str, StringConstraints(min_length=1, max_length=254, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Discount(Contract):
    id: ShortText
    amount: MinorAmount


class ClaimRequest(Contract):
    """What an app sends to `POST /v1/checkouts/{event_id}/claim`: whose the sale shall be."""

    member: Identity


class Line(Contract):
    """One line of the receipt; `net` is what the customer pays for it after discounts, in minor units."""

    line: Annotated[int, Field(strict=True, ge=1, le=99_999)]
    sku: ShortText
    category: CategoryPath | None = None
    quantity: Quantity = "1"
    net: MinorAmount
    tax: MinorAmount = 0
    unit_price: MinorAmount | None = None
    discounts: tuple[Discount, ...] = Field(default=(), max_length=50)
    gtin: ShortText | None = None
    serial: ShortText | None = None
    name: ShortText | None = None
    of_line: Annotated[int, Field(strict=True, ge=1, le=99_999)] | None = None


class Tender(Contract):
    """How a part was paid; `points` and `stored_value` name the redemption or hold as `reference`."""

    type: TenderType
    amount: MinorAmount
    reference: ShortText | None = None


class Original(Contract):
    """The checkout that a return or a void speaks of, of the same source."""

    store: Token
    terminal: Token
    business_day: date
    sequence: Count
    kind: Literal["sale", "return"] = "sale"


class CheckoutName(Contract):
    """What tells a checkout from every other one; its event id is computed from these."""

    source: Token
    store: Token
    terminal: Token
    business_day: date
    sequence: Count
    kind: CheckoutKind


class Checkout(CheckoutName):
    """A sale, a return or a void as a till publishes it (CloudEvents type `loyalty.checkout.v1`)."""

    occurred_at: Instant
    recorded_at: Instant | None = None
    currency: Currency
    channel: Channel = "store"
    member: Identity | None = None
    lines: tuple[Line, ...] = Field(default=(), max_length=LINES_MAX)
    tenders: tuple[Tender, ...] = Field(default=(), max_length=TENDERS_MAX)
    rounding: MinorUnits = 0
    tax_included: bool = True
    original: Original | None = None
    receipt: ShortText | None = None
    flags: tuple[Flag, ...] = Field(default=(), max_length=4)
    partner: Token | None = None
    time_zone: TimeZone | None = None
    txn_uuid: ShortText | None = None
    attributes: dict[Code, str | int | bool] = Field(default_factory=dict, max_length=ATTRIBUTES_MAX)

    @property
    def total_minor(self) -> int:
        """What the lines come to: Σ net, Σ tax where it is not included, and the rounding."""
        net = sum(line.net for line in self.lines)
        return net + self.rounding + (0 if self.tax_included else sum(line.tax for line in self.lines))

    @property
    def tendered_minor(self) -> int:
        return sum(tender.amount for tender in self.tenders)

    @classmethod
    def taken_in(cls, body: bytes) -> Self:
        """What was valid when it came, whatever else a checkout has to be by now."""
        return cls.model_validate_json(body, context=_TAKEN_IN)

    @model_validator(mode="after")
    def _shape_fits_kind(self, info: ValidationInfo) -> Self:
        if info.context is _TAKEN_IN:
            return self
        match self.kind:
            case "sale":
                self._check_sale()
            case "return":
                self._check_return()
            case "void":
                self._check_void()
        return self

    def _check_sale(self) -> None:
        if self.original is not None:
            raise _fault("original_not_allowed", "a sale names no original; send kind return or void")
        if not self.lines:
            raise _fault("lines_missing", "a sale has at least one line")
        self._check_lines_and_totals()

    def _check_return(self) -> None:
        if not self.lines:
            raise _fault("lines_missing", "a return names the lines that come back")
        if self.original is not None and self.original.kind != "sale":
            raise _fault("original_not_a_sale", "a return names its sale; send kind void to take a return back")
        self._check_lines_and_totals()

    def _check_void(self) -> None:
        if self.original is None:
            raise _fault("original_missing", "a void names the checkout that it takes back in original")
        if self.lines or self.tenders:
            raise _fault("lines_not_allowed", "a void takes back everything: it has no lines and no tenders")

    def _check_lines_and_totals(self) -> None:
        if len({line.line for line in self.lines}) != len(self.lines):
            raise _fault("line_repeated", "every line has a number of its own")
        if self.total_minor != self.tendered_minor:
            raise PydanticCustomError(
                "totals_mismatch",
                "lines come to {lines} but tenders to {tenders}: they must be equal",
                {"lines": self.total_minor, "tenders": self.tendered_minor},
            )


def _fault(code: LiteralString, detail: LiteralString) -> PydanticCustomError:
    return PydanticCustomError(code, detail)


def unknown_fields(given: Any, model: type[Contract] = Checkout) -> int:
    """How many top-level fields of a JSON object the contract does not know (they are dropped and counted)."""
    return len(set(given) - set(model.model_fields)) if isinstance(given, dict) else 0
