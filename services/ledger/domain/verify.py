"""What must always hold of a stream and of the books, checked from the outside."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from services.ledger.domain.evolve import BrokenInvariantError, evolve
from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import MemberId
from services.ledger.domain.moves import SOURCES, Bucket
from services.ledger.domain.state import AccountState, Balance, new_account


@dataclass(frozen=True, slots=True)
class Fault:
    """The first number of a member's stream at which something does not hold."""

    member_id: MemberId
    member_seq: int
    detail: str


def first_fault(member_id: MemberId, numbered: Iterable[tuple[int, Fact]]) -> Fault | None:
    """Folds a stream from its beginning: gaps, a cause recorded twice, buckets below zero, units out of balance."""
    state = new_account(member_id)
    causes: set[tuple[str, int]] = set()
    for number, fact in numbered:
        expected = state.member_seq + 1
        if number != expected:
            return Fault(member_id, number, f"expected number {expected}, found {number}")
        cause = (fact.cause.event_id, fact.cause.part)
        if cause in causes:
            return Fault(member_id, number, f"event {cause[0]} part {cause[1]} is recorded twice")
        causes.add(cause)
        try:
            state = evolve(state, fact)
        except BrokenInvariantError as broken:
            return Fault(member_id, number, str(broken))
        if imbalance := first_imbalance(state):
            return Fault(member_id, number, imbalance)
    return None


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


def totals(states: Iterable[AccountState]) -> Mapping[str, Balance]:
    """All buckets per unit over the ledger."""
    sums: dict[str, list[int]] = {}
    for state in states:
        for unit, balance in state.units.items():
            known = sums.get(unit, [0] * len(Bucket))
            sums[unit] = [total + points for total, points in zip(known, balance.buckets(), strict=True)]
    return {unit: Balance(*buckets) for unit, buckets in sorted(sums.items())}


def first_leak(sums: Mapping[str, Balance]) -> str | None:
    """The first unit out of balance over the whole ledger: what members sent, members must have received."""
    for unit, total in sums.items():
        buckets = total.buckets()
        if total.sent != total.received or sum(buckets[:SOURCES]) != sum(buckets[SOURCES:]):
            return f"{unit} leaks: {total}"
    return None
