"""Checkouts to begin a test with, as a till writes them: the documented one and changes to it."""

import json
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.reading import Reader
from services.ingest.adapters.reopening import Reopener
from services.ingest.application.ports import Submission
from services.runtime.digests import IdentityDigests
from services.runtime.seal import Seal

NOW = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
"""Half an hour after the documented sale."""

LINES = [
    {"line": 1, "sku": "latte-l", "category": "drinks/coffee", "quantity": "1", "net": 2640, "tax": 149},
    {"line": 2, "sku": "cake-m", "category": "food/cake", "quantity": "1", "net": 1450, "tax": 82},
]
SALE: dict[str, Any] = {
    "source": "pos.acme",
    "store": "0457",
    "terminal": "03",
    "business_day": "2026-03-11",
    "sequence": 1841,
    "kind": "sale",
    "occurred_at": "2026-03-11T09:24:31+08:00",
    "currency": "CNY",
    "member": {"kind": "card", "value": "880012345678"},
    "lines": LINES,
    "tenders": [{"type": "card", "amount": 4090}],
}
FULL_SALE: dict[str, Any] = SALE | {
    "recorded_at": "2026-03-11T09:24:40+08:00",
    "channel": "store",
    "lines": [
        LINES[0]
        | {
            "unit_price": 2840,
            "discounts": [{"id": "two-off", "amount": 200}],
            "gtin": "06901234567892",
            "serial": "SN-1",
            "name": "拿铁 (大)",
        },
        LINES[1],
    ],
    "tenders": [{"type": "card", "amount": 3590, "reference": "4111111111111111"}, {"type": "points", "amount": 500}],
    "rounding": 0,
    "tax_included": True,
    "receipt": "R-0042",
    "flags": ["offline"],
    "partner": "mall-7",
    "time_zone": "Asia/Shanghai",
    "txn_uuid": "4e0c",
    "attributes": {"cashier": "王芳", "wet_floor": True, "queue": 3},
}
"""Every field that a sale may have."""

RETURN: dict[str, Any] = SALE | {
    "kind": "return",
    "sequence": 1900,
    "original": {"store": "0457", "terminal": "03", "business_day": "2026-03-11", "sequence": 1841},
    "lines": [{"line": 1, "sku": "cake-m", "quantity": "1", "net": 1450, "of_line": 2}],
    "tenders": [{"type": "card", "amount": 1450}],
}
VOID: dict[str, Any] = RETURN | {"kind": "void", "lines": [], "tenders": []}

IDENTITY_KEY, SEAL_KEY = b"i" * 32, b"s" * 32


def sale(**changes: Any) -> dict[str, Any]:
    """The documented sale with other fields; a field given as None is left out."""
    return {name: value for name, value in (SALE | changes).items() if value is not None}


def body(checkout: Any) -> bytes:
    return json.dumps(checkout, ensure_ascii=False).encode()


def reader(**settings: Any) -> Reader:
    given: dict[str, Any] = {"region": "CN", "declared": (), "count_unknown": lambda fields: None}
    return Reader(digests=IdentityDigests(IDENTITY_KEY), seal=Seal(SEAL_KEY), **(given | settings))


def reopener() -> Reopener:
    return Reopener(Seal(SEAL_KEY), ())


def submission(checkout: Any, **settings: Any) -> Submission:
    return reader(**settings).checkout(body(checkout), NOW)
