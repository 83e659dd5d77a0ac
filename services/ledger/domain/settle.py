"""What time alone makes due: pending points activate, lots expire, each at its own instant."""

from datetime import datetime

from services.ledger.domain.facts import Cause, PointsActivated, PointsExpired, SourcePosition
from services.ledger.domain.ids import EventId, event_id_of
from services.ledger.domain.instants import FAR_FUTURE, in_utc, instant_text
from services.ledger.domain.lots import Lot
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.state import AccountState

DueFact = PointsActivated | PointsExpired
DueKind = type[PointsActivated] | type[PointsExpired]


def next_due(state: AccountState) -> datetime | None:
    """The first instant at which time changes this account; None = never."""
    first = FAR_FUTURE
    for lot in state.lots.values():
        if lot.pending and lot.activates_at is not None and lot.activates_at < first:
            first = lot.activates_at
        if lot.expires_at is not None and lot.expires_at < first and (lot.available or lot.pending):
            first = lot.expires_at
    return None if first is FAR_FUTURE else first


def due_facts(
    state: AccountState,
    now: datetime,
    *,
    decision: EventId | None = None,
    position: SourcePosition | None = None,
) -> tuple[DueFact, ...]:
    """The facts that are due at `now`, in time order, each with `occurred_at` = its due instant.

    Dragged along by a decision they carry its id and the parts 1, 2, …; alone each has an id of its own.
    """
    due = next_due(state)
    if due is None or due > now:
        return ()
    facts: list[DueFact] = []
    debts = {unit: balance.debt for unit, balance in state.units.items()}
    kept = {lot.id: (lot.pending, lot.available) for lot in state.lots.values()}
    for at, kind, lot in _due(state, now):
        event_id = decision or due_event_id(state, kind, lot.id, at, state.member_seq + len(facts))
        cause = Cause(event_id, len(facts) + 1 if decision else 0, at, now, position)
        pending, available = kept[lot.id]
        if kind is PointsActivated:
            repaid = min(pending, debts[lot.unit])
            debts[lot.unit] -= repaid
            kept[lot.id] = (0, available + pending - repaid)
            facts.append(PointsActivated(cause, activation(lot, pending, repaid), lot.unit, lot.id, pending))
        elif pending + available:
            facts.append(expiry(cause, lot.unit, lot.id, pending=pending, available=available))
    return tuple(facts)


def now_of(state: AccountState, clock: datetime) -> datetime:
    """max(clock, the last recorded instant): a stream's time never runs backwards, whichever machine decides."""
    clock = in_utc(clock)
    last = state.last_recorded_at
    return clock if last is None or clock > last else last


def due_event_id(state: AccountState, kind: DueKind, lot: str, at: datetime, seq_before: int) -> EventId:
    """The id of a fact that has no cause but time."""
    return event_id_of(state.member_id, kind.TYPE, lot, instant_text(at), str(seq_before))


def expiry(cause: Cause, unit: str, lot: str, *, available: int, pending: int = 0) -> PointsExpired:
    parts = ((Bucket.PENDING, pending), (Bucket.AVAILABLE, available))
    moves = tuple(Move(unit, lot, source, Bucket.EXPIRED, points) for source, points in parts if points)
    return PointsExpired(cause, moves, unit, lot, pending + available)


def activation(lot: Lot, points: int, repaid: int) -> tuple[Move, ...]:
    moved = Move(lot.unit, lot.id, Bucket.PENDING, Bucket.AVAILABLE, points)
    return (moved, Move(lot.unit, lot.id, Bucket.AVAILABLE, Bucket.DEBT, repaid)) if repaid else (moved,)


def _due(state: AccountState, now: datetime) -> list[tuple[datetime, DueKind, Lot]]:
    due: list[tuple[datetime, DueKind, Lot]] = []
    for lot in state.lots.values():
        expires_at = lot.expires_at or FAR_FUTURE
        if lot.pending and lot.activates_at is not None and lot.activates_at <= now and lot.activates_at < expires_at:
            due.append((lot.activates_at, PointsActivated, lot))
        if expires_at <= now:
            due.append((expires_at, PointsExpired, lot))
    return sorted(due, key=lambda item: (item[0], item[1].TYPE, item[2].id))
