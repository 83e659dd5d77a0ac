"""The exact bytes of an account: what is cached in one row and what two folds are compared by.

Written straight, for every fact rewrites its account; the keys stand in sorted order here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from json import loads
from json.encoder import encode_basestring as quoted

from services.ledger.adapters.canonical_json import Json
from services.ledger.domain.instants import instant_text, parse_instant
from services.ledger.domain.lots import Lot, lot_terms
from services.ledger.domain.moves import Bucket
from services.ledger.domain.state import AccountState, Balance, TierStep

BUCKETS = tuple(sorted((bucket.value, bucket.position) for bucket in Bucket))


def encode_state(state: AccountState) -> bytes:
    """Canonical JSON. Empty collections are left out: a field added later leaves the bytes of older accounts alone."""
    return _joined(
        (
            _caps(state.caps),
            _carries(state.carries),
            _last_recorded(state.last_recorded_at),
            _lots(state.lots),
            f'"member_id":"{state.member_id}","member_seq":{state.member_seq}',
            _rewards(state.rewards),
            f'"status":{quoted(state.status)},"status_version":{state.status_version},"tier_seq":{state.tier_seq}',
            _tiers(state.tiers),
            _units(state.units),
            f'"visits":{state.visits}',
        )
    )


def encode_books(state: AccountState) -> bytes:
    """Lots and balances alone: equal for two runs that recorded the same history at different times."""
    return _joined((_lots(state.lots), f'"member_id":"{state.member_id}"', _units(state.units)))


def decode_state(encoded: bytes) -> AccountState:
    """Reads what `encode_state` wrote."""
    document: Json = loads(encoded)
    last = document.get("last_recorded_at")
    return AccountState(
        document["member_id"],
        document["member_seq"],
        # No two of them are equal: the memory of `parse_instant` would only be filled up.
        last and datetime.fromisoformat(last),
        document["status"],
        document["status_version"],
        {unit: Balance(**buckets) for unit, buckets in document.get("units", {}).items()},
        {lot: Lot(lot, *lot_terms(lot), *kept) for lot, kept in document.get("lots", {}).items()},
        document.get("caps", {}),
        {key: Fraction(*ratio) for key, ratio in document.get("carries", {}).items()},
        tuple([TierStep(parse_instant(start), tier, seq) for start, tier, seq in document.get("tiers", ())]),
        document["tier_seq"],
        document["visits"],
        document.get("rewards", {}),
    )


def _joined(parts: Sequence[str]) -> bytes:
    return f"{{{','.join([part for part in parts if part])}}}".encode()


def _caps(caps: Mapping[str, Mapping[str, int]]) -> str:
    if not caps:
        return ""
    return f'"caps":{{{",".join([f"{quoted(rule)}:{{{_periods(used)}}}" for rule, used in sorted(caps.items())])}}}'


def _periods(used: Mapping[str, int]) -> str:
    return ",".join([f"{quoted(period)}:{points}" for period, points in sorted(used.items())])


def _carries(carries: Mapping[str, Fraction]) -> str:
    if not carries:
        return ""
    kept = [f"{quoted(key)}:[{carry.numerator},{carry.denominator}]" for key, carry in sorted(carries.items())]
    return f'"carries":{{{",".join(kept)}}}'


def _last_recorded(last: datetime | None) -> str:
    return "" if last is None else f'"last_recorded_at":"{instant_text(last)}"'


def _lots(lots: Mapping[str, Lot]) -> str:
    if not lots:
        return ""
    kept = [f"{quoted(lot.id)}:[{lot.pending},{lot.available},{lot.held}]" for _, lot in sorted(lots.items())]
    return f'"lots":{{{",".join(kept)}}}'


def _rewards(rewards: Mapping[str, int]) -> str:
    if not rewards:
        return ""
    return f'"rewards":{{{",".join([f"{quoted(reward)}:{taken}" for reward, taken in sorted(rewards.items())])}}}'


def _tiers(tiers: Sequence[TierStep]) -> str:
    if not tiers:
        return ""
    return f'"tiers":[{",".join([_step(step) for step in tiers])}]'


def _step(step: TierStep) -> str:
    tier = "null" if step.tier is None else quoted(step.tier)
    return f'["{instant_text(step.effective_from)}",{tier},{step.seq}]'


def _units(units: Mapping[str, Balance]) -> str:
    if not units:
        return ""
    kept = [f"{quoted(unit)}:{{{_buckets(balance)}}}" for unit, balance in sorted(units.items())]
    return f'"units":{{{",".join(kept)}}}'


def _buckets(balance: Balance) -> str:
    held = balance.buckets()
    return ",".join([f'"{name}":{held[position]}' for name, position in BUCKETS if held[position]])
