"""A made-up stream of purchases for benchmarks, the same for the same seed."""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from schemas.envelope import event_headers
from schemas.programme import PROGRAMME_KEY, PROGRAMME_V1, ProgrammeDocument, ProgrammePublished
from schemas.purchases import PURCHASE_V1
from services.runtime.ports import Message

SEED = 20260101
SOURCE = "bench"
CATEGORIES = ("drinks/coffee", "food/cake", "food/bread", "grocery/dry-goods", "household/paper", "gift-card")
PROGRAMME = {
    "programme": "bench",
    "version": 1,
    "effective_from": "2025-01-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "currency": "CNY",
    "units": {
        "points": {"name": {"zh": "积分", "en": "points"}, "expires": {"after": "P12M", "round": "end_of_month"}},
        "growth": {"kind": "qualifying", "name": {"zh": "成长值", "en": "growth"}},
    },
    "earning": {
        "exclude": {"categories": ["gift-card"]},
        "rules": [
            {"id": "base", "earn": {"unit": "points", "points": 1, "per": 100}, "tier_factor": {"gold": "1.5"}},
            {
                "id": "coffee-double",
                "when": {"category": "drinks/coffee", "weekdays": ["mon", "tue", "wed", "thu", "fri"]},
                "earn": {"unit": "points", "points": 1, "per": 100},
                "cap": {"points": 200, "per": "month"},
            },
            {"id": "growth", "earn": {"unit": "growth", "points": 1, "per": 100}},
        ],
    },
    "tiers": {
        "metric": {"unit": "growth"},
        "levels": [{"id": "gold", "name": {"zh": "金卡", "en": "Gold"}, "reach": 5000}],
    },
}


def programme_message(now: datetime) -> Message:
    """Version 1 of the benchmark's programme, as the programme service would publish it."""
    document = ProgrammeDocument.model_validate(PROGRAMME)
    event = ProgrammePublished(version=1, effective_from=document.effective_from, published_at=now, document=document)
    headers = event_headers(event_type=PROGRAMME_V1, event_id="programme/1", source=SOURCE, at=now)
    return Message("programme", PROGRAMME_KEY, event.model_dump_json().encode(), headers)


def baskets(count: int, members: int, now: datetime) -> Iterator[Message]:
    """`count` purchases of `members` members over the last year, in time order, 600–950 bytes each."""
    rng = random.Random(SEED)
    ids = [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(members)]
    start = now - timedelta(days=365)
    step = timedelta(days=364) / count
    for number in range(count):
        yield _purchase(rng, rng.choice(ids), number, start + step * number)


def _purchase(rng: random.Random, member_id: str, number: int, occurred_at: datetime) -> Message:
    lines = [_line(rng, line) for line in range(1, rng.choice((2, 2, 3, 3, 4)) + 1)]
    at = occurred_at.replace(microsecond=0).astimezone(UTC).isoformat().replace("+00:00", "Z")
    event_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    value = {
        "event_id": event_id,
        "member_id": member_id,
        "kind": "sale",
        "source": "pos.bench",
        "store": f"{rng.randint(1, 457):04}",
        "terminal": f"{rng.randint(1, 9):02}",
        "business_day": at[:10],
        "sequence": number,
        "occurred_at": at,
        "recorded_at": at,
        "fingerprint": sha256(event_id.encode()).hexdigest(),
        "currency": "CNY",
        "channel": "store",
        "lines": lines,
        "tenders": [{"type": "card", "amount": sum(int(line["net"]) for line in lines)}],
    }
    body = json.dumps(value, separators=(",", ":")).encode()
    return Message(
        "purchases",
        member_id,
        body,
        event_headers(event_type=PURCHASE_V1, event_id=event_id, source=SOURCE, at=occurred_at),
    )


def _line(rng: random.Random, line: int) -> dict[str, str | int]:
    net = rng.randint(150, 6_000)
    return {
        "line": line,
        "sku": f"sku-{rng.randint(1, 99_999):05}",
        "category": rng.choice(CATEGORIES),
        "quantity": str(rng.randint(1, 3)),
        "net": net,
        "tax": net // 17,
    }
