"""Topic `purchases`: accepted checkouts, without personal data, their member known."""

from datetime import date
from typing import Any, Literal

from pydantic import Field

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
    Sha256Text,
    ShortText,
    Token,
    UuidText,
)
from schemas.checkouts import ATTRIBUTES_MAX, Channel, CheckoutKind, Flag, Identity, TenderType

PURCHASE_V1 = "loyalty.purchase.v1"

ClaimedBy = Literal["till", "registration", "claim", "receipt"]
"""`claim`: the till sent the sale again with a member; `receipt`: somebody who holds the receipt asked for it."""


class PurchaseLine(Contract):
    """A line as it earns; amounts in minor units."""

    line: int
    sku: ShortText
    category: CategoryPath | None = None
    quantity: Quantity = "1"
    net: MinorAmount
    tax: MinorAmount = 0
    of_line: int | None = None


class PurchaseTender(Contract):
    type: TenderType
    amount: MinorAmount
    reference: ShortText | None = None


class Purchase(Contract):
    """A checkout that the door accepted (CloudEvents type `loyalty.purchase.v1`, id = `event_id`)."""

    event_id: UuidText
    member_id: UuidText
    kind: CheckoutKind
    source: Token
    store: Token
    terminal: Token
    business_day: date
    sequence: Count
    occurred_at: Instant
    recorded_at: Instant
    fingerprint: Sha256Text
    currency: Currency
    channel: Channel = "store"
    lines: tuple[PurchaseLine, ...] = ()
    tenders: tuple[PurchaseTender, ...] = ()
    rounding: MinorUnits = 0
    tax_included: bool = True
    original_id: UuidText | None = None
    flags: tuple[Flag, ...] = ()
    partner: Token | None = None
    time_zone: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    claimed_by: ClaimedBy = "till"


ACTIVITY_V1 = "loyalty.activity.v1"
GIFT_SOURCE = "notifier"
GIFT_ACTIVITY = "gift"


class Activity(Contract):
    """A non-purchase that may earn: a review, a check-in, a gift of a campaign (topic `activities`).

    A gift has the source `notifier`, the activity `gift` and the reference `<campaign>/<occurrence>`; nobody else may
    use either name.
    """

    event_id: UuidText
    member_id: UuidText
    source: Token
    activity: Token
    reference: ShortText
    occurred_at: Instant
    recorded_at: Instant
    fingerprint: Sha256Text
    attributes: dict[str, Any] = Field(default_factory=dict)


class ActivityRequest(Contract):
    """What an app sends to `POST /v1/activities`; `source` may be left out by a key that has only one."""

    source: Token | None = None
    member: Identity
    activity: Token
    reference: ShortText
    occurred_at: Instant
    attributes: dict[Code, str | int | bool] = Field(default_factory=dict, max_length=ATTRIBUTES_MAX)
