"""What must always hold of the books, checked from the outside."""

from collections.abc import Mapping
from dataclasses import fields

from services.ledger.domain.moves import SOURCES, Bucket
from services.ledger.domain.state import AccountState, Balance


def first_imbalance(state: AccountState) -> str | None:
    """The first unit whose buckets do not add up, or whose lots do not add up to its buckets."""
    for unit, balance in state.units.items():
        buckets = balance.buckets()
        if min(buckets) < 0 or sum(buckets[:SOURCES]) != sum(buckets[SOURCES:]):
            return f"{unit} does not balance: {balance}"
        lots = [lot for lot in state.lots.values() if lot.unit == unit]
        kept = {
            Bucket.PENDING: sum(lot.pending for lot in lots),
            Bucket.AVAILABLE: sum(lot.available for lot in lots),
            Bucket.HELD: sum(lot.held for lot in lots),
        }
        for bucket, points in kept.items():
            if buckets[bucket.position] != points:
                return f"{unit}: lots hold {points} {bucket}, the balance says {buckets[bucket.position]}"
    return None


def first_difference(cached: AccountState, folded: AccountState) -> str | None:
    """The first field in which a cached account is not the fold of its facts."""
    for field in fields(AccountState):
        was, should_be = getattr(cached, field.name), getattr(folded, field.name)
        if was != should_be:
            return f"{field.name}: the cache has {was}, the facts say {should_be}"
    return None


def first_leak(sums: Mapping[str, Balance]) -> str | None:
    """The first unit out of balance over the whole ledger: what members sent, members must have received."""
    for unit, total in sums.items():
        buckets = total.buckets()
        if total.sent != total.received or sum(buckets[:SOURCES]) != sum(buckets[SOURCES:]):
            return f"{unit} leaks: {total}"
    return None
