"""Checkouts and activities as they are written for those behind the door."""

import base64
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic_core import to_json

from schemas.base import rfc3339
from schemas.checkouts import Checkout, Line, Tender
from services.ingest.application.ports import Told
from services.ingest.domain.admission import Arrival, ClaimedBy
from services.ingest.domain.identity import EventId, MemberId, activity_fingerprint
from services.runtime.ports import Seal

REFERENCED_TENDERS = frozenset({"points", "stored_value"})


def seal_context(event_id: EventId) -> bytes:
    return b"ingest/checkout/" + event_id.bytes


@dataclass(frozen=True, slots=True)
class CheckoutPaper:
    """`declared` names the attributes that may leave the door; all others may hold anything, so they stay."""

    checkout: Checkout
    arrival: Arrival
    seal: Seal
    declared: Collection[str]

    def plain(self) -> bytes:
        return self.checkout.model_dump_json(exclude_none=True).encode()

    def sealed(self) -> bytes:
        return self.seal.seal(self.plain(), seal_context(self.arrival.event_id))

    def as_purchase(self, member_id: MemberId, claimed_by: ClaimedBy, recorded_at: datetime) -> bytes:
        checkout, arrival = self.checkout, self.arrival
        value = {
            "event_id": str(arrival.event_id),
            "member_id": str(member_id),
            "kind": checkout.kind,
            "source": checkout.source,
            "store": checkout.store,
            "terminal": checkout.terminal,
            "business_day": checkout.business_day.isoformat(),
            "sequence": checkout.sequence,
            "occurred_at": rfc3339(checkout.occurred_at),
            "recorded_at": rfc3339(recorded_at),
            "fingerprint": arrival.fingerprint.hex(),
            "currency": checkout.currency,
            "channel": checkout.channel,
            "lines": [_line(line) for line in checkout.lines],
            "tenders": [_tender(tender) for tender in checkout.tenders],
            "rounding": checkout.rounding,
            "tax_included": checkout.tax_included,
            "original_id": _text(arrival.original_id),
            "flags": checkout.flags,
            "partner": checkout.partner,
            "time_zone": checkout.time_zone,
            # Undeclared ones may hold anything a till thinks of, names included.
            "attributes": declared_only(checkout.attributes, self.declared),
            "claimed_by": claimed_by.value,
        }
        return to_json({name: each for name, each in value.items() if each is not None})

    def as_outcome(self, told: Told, sealed: bytes) -> bytes:
        checkout, arrival = self.checkout, self.arrival
        return to_json(outcome_value(arrival.event_id, told, arrival, checkout.source, checkout.occurred_at, sealed))


@dataclass(frozen=True, slots=True)
class ActivityPaper:
    source: str
    activity: str
    reference: str
    occurred_at: datetime
    attributes: dict[str, Any]

    @property
    def fingerprint(self) -> bytes:
        return activity_fingerprint(self.occurred_at, self.attributes)

    def as_activity(self, event_id: EventId, member_id: MemberId, recorded_at: datetime) -> bytes:
        return to_json(
            {
                "event_id": str(event_id),
                "member_id": str(member_id),
                "source": self.source,
                "activity": self.activity,
                "reference": self.reference,
                "occurred_at": rfc3339(self.occurred_at),
                "recorded_at": rfc3339(recorded_at),
                "fingerprint": self.fingerprint.hex(),
                "attributes": self.attributes,
            }
        )


class Content(Protocol):
    """What an outcome tells of the checkout that it is about."""

    @property
    def fingerprint(self) -> bytes: ...
    @property
    def identity(self) -> bytes | None: ...
    @property
    def original_id(self) -> EventId | None: ...


def outcome_value(
    event_id: EventId, told: Told, content: Content, source: str | None, occurred_at: datetime | None, sealed: bytes
) -> dict[str, Any]:
    value = {
        "event_id": str(event_id),
        "outcome_seq": told.outcome_seq,
        "fate": told.fate.value,
        "reason": None if told.reason is None else told.reason.value,
        "source": source,
        "occurred_at": None if occurred_at is None else rfc3339(occurred_at),
        "recorded_at": rfc3339(told.recorded_at),
        "fingerprint": content.fingerprint.hex(),
        "identity_digest": None if content.identity is None else content.identity.hex(),
        "original_id": _text(content.original_id),
        "waits_until": None if told.waits_until is None else rfc3339(told.waits_until),
        "sealed_body": base64.urlsafe_b64encode(sealed).decode(),
    }
    return {name: each for name, each in value.items() if each is not None}


def declared_only(attributes: dict[str, Any], declared: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name in declared}


def _line(line: Line) -> dict[str, Any]:
    value: dict[str, Any] = {
        "line": line.line,
        "sku": line.sku,
        "quantity": line.quantity,
        "net": line.net,
        "tax": line.tax,
    }
    if line.category is not None:
        value["category"] = line.category
    if line.of_line is not None:
        value["of_line"] = line.of_line
    return value


def _tender(tender: Tender) -> dict[str, Any]:
    value: dict[str, Any] = {"type": tender.type, "amount": tender.amount}
    # Of other tenders the reference may be a card's number.
    if tender.reference is not None and tender.type in REFERENCED_TENDERS:
        value["reference"] = tender.reference
    return value


def _text(event_id: EventId | None) -> str | None:
    return None if event_id is None else str(event_id)
