"""Tier facts as bytes: what is stored, hashed and published is the same."""

import json
from hashlib import sha256

from schemas.tiers import MetricWindow, TierChanged
from services.tiering.domain import facts as domain


def encode(change: domain.TierChanged) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, integers only."""
    fact = TierChanged(
        member_id=change.member_id,
        member_seq=change.member_seq,
        event_id=change.event_id,
        from_tier=change.from_tier,
        to_tier=change.to_tier,
        reason=change.reason,
        occurred_at=change.occurred_at,
        effective_from=change.effective_from,
        recorded_at=change.recorded_at,
        valid_until=change.valid_until,
        metric=change.metric,
        threshold=change.threshold,
        unit=change.unit,
        window=MetricWindow(kind=change.window.kind, starts_at=change.window.starts_at, ends_at=change.window.ends_at),
        programme_version=change.programme_version,
        retroactive=change.retroactive,
    )
    values = fact.model_dump(mode="json")
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def chain(previous: bytes, encoded: bytes) -> bytes:
    """The hash of a member's next fact."""
    return sha256(previous + encoded).digest()


def chain_start(member_id: str) -> bytes:
    return sha256(member_id.encode()).digest()
