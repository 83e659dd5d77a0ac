"""What a member has: now, settled without recording it, or as of an earlier instant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import MemberId
from services.ledger.domain.instants import in_utc
from services.ledger.domain.lots import Lot, consumption_order, lot_terms
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.settle import due_facts, now_of
from services.ledger.domain.state import AccountState, Balance, new_account

# What has expired is still in its lot here: the lot's own expiry tells when it stopped counting, and summed from facts
# it would be gone on the wrong day. What a return takes of it is gone from the lot before that day as well.
_IN_LOT = frozenset({Bucket.PENDING, Bucket.AVAILABLE, Bucket.EXPIRED})


@dataclass(frozen=True, slots=True)
class Expiring:
    """So many available points can be used before `at` and no longer."""

    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class UnitView:
    """The buckets of one unit and its expiries, soonest first."""

    balance: Balance
    expiring: tuple[Expiring, ...]


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account at an instant; `member_seq` is the last recorded fact that it rests on."""

    member_id: MemberId
    member_seq: int
    at: datetime
    units: Mapping[str, UnitView]


def settled(state: AccountState, clock: datetime) -> AccountState:
    """The account as it would be if what is due were recorded; its number runs ahead of the recorded one then."""
    return fold(state, due_facts(state, now_of(state, clock)))


def view(state: AccountState, clock: datetime) -> AccountView:
    now = now_of(state, clock)
    current = settled(state, now)
    units = {unit: UnitView(balance, _expiring(current, unit)) for unit, balance in sorted(current.units.items())}
    return AccountView(state.member_id, state.member_seq, now, units)


def lots(state: AccountState, clock: datetime) -> list[Lot]:
    """What is left of each lot, in the order in which it would be spent."""
    return consumption_order(settled(state, clock).lots.values())


def as_of(member_id: MemberId, facts: Iterable[Fact], *, at: datetime, known_at: datetime) -> Mapping[str, Balance]:
    """The buckets per unit at event time `at`, by the facts recorded up to `known_at`.

    Activation and expiry are computed from the lots, so a history that was imported late reads as it was.
    """
    at, known_at = in_utc(at), in_utc(known_at)
    known = [fact for fact in facts if fact.cause.recorded_at <= known_at]
    state = fold(new_account(member_id), known)
    known += due_facts(state, now_of(state, at))
    happened = [fact for fact in known if min(fact.cause.occurred_at, fact.cause.recorded_at) <= at]
    moves = [move for fact in happened for move in fact.moves]
    return {unit: _balance_at(moves, unit, at) for unit in sorted({move.unit for move in moves})}


def _expiring(state: AccountState, unit: str) -> tuple[Expiring, ...]:
    by_expiry: dict[datetime, int] = {}
    for lot in state.lots.values():
        if lot.unit == unit and lot.expires_at is not None and lot.available:
            by_expiry[lot.expires_at] = by_expiry.get(lot.expires_at, 0) + lot.available
    return tuple(Expiring(at, points) for at, points in sorted(by_expiry.items()))


def _balance_at(moves: Sequence[Move], unit: str, at: datetime) -> Balance:
    buckets = dict.fromkeys(Bucket, 0)
    in_lots: dict[str, int] = {}
    for move in moves:
        if move.unit == unit:
            for bucket, points in ((move.source, -move.points), (move.target, move.points)):
                buckets[bucket] += bucket.sign * points
            in_lots[move.lot] = in_lots.get(move.lot, 0) + _change_of_lot(move)
    buckets[Bucket.PENDING] = sum(points for lot, points in in_lots.items() if _stage(lot, at) is Bucket.PENDING)
    buckets[Bucket.AVAILABLE] = sum(points for lot, points in in_lots.items() if _stage(lot, at) is Bucket.AVAILABLE)
    held_elsewhere = sum(points for bucket, points in buckets.items() if bucket.sign > 0 and bucket != Bucket.EXPIRED)
    owed = sum(points for bucket, points in buckets.items() if bucket.sign < 0)
    buckets[Bucket.EXPIRED] = owed - held_elsewhere
    return Balance(**{bucket.value: points for bucket, points in buckets.items()})


def _change_of_lot(move: Move) -> int:
    return move.points * ((move.target in _IN_LOT) - (move.source in _IN_LOT))


def _stage(lot: str, at: datetime) -> Bucket:
    if not lot:
        return Bucket.EXPIRED
    _, expires_at, activates_at = lot_terms(lot)
    if expires_at is not None and expires_at <= at:
        return Bucket.EXPIRED
    return Bucket.PENDING if activates_at is not None and activates_at > at else Bucket.AVAILABLE
