"""The exact bytes of an account: what is cached in one row and what two folds are compared by."""

from fractions import Fraction
from json import loads
from typing import Any

from services.ledger.adapters.canonical_json import Json, ratio_fields, write_canonically
from services.ledger.domain.instants import instant_text, parse_instant
from services.ledger.domain.lots import Lot, lot_terms
from services.ledger.domain.moves import Bucket
from services.ledger.domain.state import AccountState, Balance, TierStep

BUCKETS = tuple(bucket.value for bucket in Bucket)


def encode_state(state: AccountState) -> bytes:
    """Canonical JSON. Empty collections are left out: a field added later leaves the bytes of older accounts alone."""
    last = state.last_recorded_at
    document = _books(state) | {
        "caps": state.caps,
        "carries": {key: ratio_fields(carry) for key, carry in state.carries.items()},
        "last_recorded_at": last and instant_text(last),
        "member_seq": state.member_seq,
        "status": state.status,
        "status_version": state.status_version,
        "tier_seq": state.tier_seq,
        "tiers": [[instant_text(step.effective_from), step.tier, step.seq] for step in state.tiers],
        "visits": state.visits,
    }
    return _write(document)


def encode_books(state: AccountState) -> bytes:
    """Lots and balances alone: equal for two runs that recorded the same history at different times."""
    return _write(_books(state))


def decode_state(encoded: bytes) -> AccountState:
    """Reads what `encode_state` wrote."""
    document: Json = loads(encoded)
    last = document.get("last_recorded_at")
    return AccountState(
        document["member_id"],
        document["member_seq"],
        last and parse_instant(last),
        document["status"],
        document["status_version"],
        {unit: Balance(**buckets) for unit, buckets in document.get("units", {}).items()},
        {lot: Lot(lot, *lot_terms(lot), *kept) for lot, kept in document.get("lots", {}).items()},
        document.get("caps", {}),
        {key: Fraction(*ratio) for key, ratio in document.get("carries", {}).items()},
        tuple([TierStep(parse_instant(start), tier, seq) for start, tier, seq in document.get("tiers", ())]),
        document["tier_seq"],
        document["visits"],
    )


def _books(state: AccountState) -> Json:
    return {
        "lots": {lot.id: (lot.pending, lot.available, lot.held) for lot in state.lots.values()},
        "member_id": state.member_id,
        "units": {unit: _buckets(balance) for unit, balance in state.units.items()},
    }


def _buckets(balance: Balance) -> dict[str, int]:
    return {bucket: points for bucket, points in zip(BUCKETS, balance.buckets(), strict=True) if points}


def _write(document: Json) -> bytes:
    return write_canonically({name: value for name, value in document.items() if not _is_empty(value)}).encode()


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict | list) and not value)
