"""Points that come to a member: into lots that still count, repaying debt first, or past lots, where they expire."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.ledger.domain.facts import Cause, PointsExpired
from services.ledger.domain.lots import lot_terms
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.rules import Rules
from services.ledger.domain.settle import expiry
from services.ledger.domain.spending import Share
from services.ledger.domain.state import AccountState


def by_fate(gains: Iterable[tuple[str, int]], now: datetime) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Points by lot: what can be used, and what comes too late for that."""
    given: dict[str, int] = {}
    past: dict[str, int] = {}
    for lot, points in gains:
        if points:
            expires_at = lot_terms(lot).expires_at
            fate = given if expires_at is None or expires_at > now else past
            fate[lot] = fate.get(lot, 0) + points
    return given, past


def restored(
    state: AccountState, shares: Iterable[Share], rules: Rules | None, now: datetime
) -> tuple[tuple[Move, ...], Mapping[str, int]]:
    """The moves of what a redemption gives back, into its lots or for as long as the rules say, and what expires.

    What the member came to owe by it repays that, also where its lot is past: it was never there to expire.
    """
    repaid: dict[str, int] = {}
    forgiven: list[Move] = []
    gains: list[tuple[str, int]] = []
    for unit, lot, points, is_owed in shares:
        owed = min(points, state.debt(unit) - repaid.get(unit, 0)) if is_owed else 0
        if owed:
            repaid[unit] = repaid.get(unit, 0) + owed
            forgiven.append(Move(unit, lot, Bucket.SPENT, Bucket.DEBT, owed))
        gains.append((rules.lot_restored_to(lot, now) if rules else lot, points - owed))
    given, past = by_fate(gains, now)
    return (*forgiven, *credit(state, given, past, now, source=Bucket.SPENT, repaid=repaid)), past


def credit(
    state: AccountState,
    given: Mapping[str, int],
    past: Mapping[str, int],
    now: datetime,
    *,
    source: Bucket = Bucket.ISSUED,
    repaid: Mapping[str, int] | None = None,
) -> tuple[Move, ...]:
    """The moves of a credit from `source`; `repaid` is what of each unit's debt the same decision has repaid before."""
    moves: list[Move] = []
    repaid = dict(repaid) if repaid else {}
    for lot, points in given.items():
        unit, _, activates_at = lot_terms(lot)
        if activates_at is not None and activates_at > now:
            moves.append(Move(unit, lot, source, Bucket.PENDING, points))
            continue
        moves.append(Move(unit, lot, source, Bucket.AVAILABLE, points))
        repays = min(points, state.debt(unit) - repaid.get(unit, 0))
        if repays:
            repaid[unit] = repaid.get(unit, 0) + repays
            moves.append(Move(unit, lot, Bucket.AVAILABLE, Bucket.DEBT, repays))
    # Points that arrive too late to be used must not repay a debt either: they only pass through.
    moves += [Move(lot_terms(lot).unit, lot, source, Bucket.AVAILABLE, points) for lot, points in past.items()]
    return tuple(moves)


def expired_on_arrival(cause: Cause, past: Mapping[str, int], first_part: int) -> list[PointsExpired]:
    facts = []
    for part, (lot, points) in enumerate(past.items(), start=first_part):
        unit, expires_at, _ = lot_terms(lot)
        occurred_at = cause.occurred_at if expires_at is None else expires_at
        expired = Cause(cause.event_id, part, occurred_at, cause.recorded_at, cause.position)
        facts.append(expiry(expired, unit, lot, available=points))
    return facts
