"""Where the points of a return come from, and where they go when the return is voided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.crediting import by_fate, credit
from services.ledger.domain.evidence import RuleChange, Waived
from services.ledger.domain.facts import Fact
from services.ledger.domain.lots import consumption_order
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.rules import Clawback, Rules
from services.ledger.domain.sale import Sale, Taken
from services.ledger.domain.state import AccountState


@dataclass(frozen=True, slots=True)
class Back:
    """The moves of a void of a return; `past` are points by lot that expire at once, `waived` move nothing."""

    moves: tuple[Move, ...]
    past: Mapping[str, int]
    waived: tuple[Waived, ...]


def take(
    state: AccountState, known: Iterable[Fact], changes: Sequence[RuleChange], rules: Rules | None
) -> tuple[tuple[Move, ...], tuple[Waived, ...]]:
    """Pending, then available of the purchase's own lots, then what of them expired, then soonest expiry, then debt.

    `known` has every expiry of the own lots. Points in a hold, and those still pending for other purchases, are not
    taken: what is missing becomes debt, which they repay when they are free, or is waived.
    """
    moves: list[Move] = []
    waived: list[Waived] = []
    for unit, own in _losses(changes).items():
        assert rules is not None, "without rules nothing was given that could be taken"
        took, missing = take_to(Bucket.REVERSED, state, known, unit, own, rules.units[unit].on_clawback)
        moves += took
        waived += missing
    return tuple(moves), tuple(waived)


def take_to(
    target: Bucket, state: AccountState, known: Iterable[Fact], unit: str, own: Mapping[str, int], policy: Clawback
) -> tuple[list[Move], list[Waived]]:
    """Takes points of one unit, `own` of them by lot, in the order above; behind the moves what was waived."""
    taking = _Taking(target, state, known, unit, own)
    taking.take_all(policy)
    return taking.moves, [Waived(unit, taking.missing)] if taking.missing else []


def bring_back(state: AccountState, sale: Sale, changes: Sequence[RuleChange], now: datetime) -> Back:
    """What was taken last comes back first, to where it was taken from; a lot that is past expires at once.

    What was never taken is given anew: lines are worth more by a tier that was heard of while they were away, or a
    carried remainder has become a whole point.
    """
    returning = _Returning(state)
    issued: list[tuple[str, int]] = []
    for unit, gains in _gains(changes).items():
        wanted = sum(gains.values())
        returned = sum([returning.put(taken) for taken in sale.give_back(unit, wanted)])
        issued.append((next(iter(gains)), wanted - returned))
    returning.credit(returning.lots, Bucket.REVERSED, now)
    returning.credit(issued, Bucket.ISSUED, now)
    _, past = by_fate([*returning.lots, *issued], now)
    return Back(tuple(returning.moves), past, tuple(returning.waived))


class _Returning:
    """Puts points back, and remembers how much debt that has paid."""

    def __init__(self, state: AccountState) -> None:
        self._state = state
        self._repaid: dict[str, int] = {}
        self.moves: list[Move] = []
        self.waived: list[Waived] = []
        self.lots: list[tuple[str, int]] = []

    def put(self, taken: Taken) -> int:
        match taken.source:
            case None:
                self.waived.append(Waived(taken.unit, taken.points))
            case Bucket.EXPIRED:
                self.moves.append(Move(taken.unit, taken.lot, Bucket.REVERSED, Bucket.EXPIRED, taken.points))
            case Bucket.DEBT:
                self.lots.append((taken.lot, taken.points - self._forgive(taken)))
            case _:
                self.lots.append((taken.lot, taken.points))
        return taken.points

    def credit(self, gains: Sequence[tuple[str, int]], source: Bucket, now: datetime) -> None:
        given, past = by_fate(gains, now)
        moves = credit(self._state, given, past, now, source=source, repaid=self._repaid)
        for move in moves:
            if move.target is Bucket.DEBT:
                self._repaid[move.unit] = self._repaid.get(move.unit, 0) + move.points
        self.moves += moves

    def _forgive(self, taken: Taken) -> int:
        owed = min(taken.points, self._state.debt(taken.unit) - self._repaid.get(taken.unit, 0))
        if owed:
            self._repaid[taken.unit] = self._repaid.get(taken.unit, 0) + owed
            self.moves.append(Move(taken.unit, taken.lot, Bucket.REVERSED, Bucket.DEBT, owed))
        return owed


class _Taking:
    """Takes points of one unit, place by place, until none is missing."""

    def __init__(
        self, target: Bucket, state: AccountState, known: Iterable[Fact], unit: str, own: Mapping[str, int]
    ) -> None:
        self._target = target
        self._state = state
        self._unit = unit
        self._own = dict(own)
        self._left = {lot.id: [lot.pending, lot.available] for lot in state.lots.values() if lot.unit == unit}
        self._expired = _expired(known, own)
        self.moves: list[Move] = []

    @property
    def missing(self) -> int:
        return sum(self._own.values())

    def take_all(self, policy: Clawback) -> None:
        self._from_own_lots(0, Bucket.PENDING)
        if policy != "pending_only":
            self._from_own_lots(1, Bucket.AVAILABLE)
        for lot in self._own:
            self._move(lot, lot, Bucket.EXPIRED, self._expired.get(lot, 0))
        if policy != "pending_only":
            self._from_other_lots()
        if policy == "debt":
            for lot, points in self._own.items():
                self._move(lot, lot, Bucket.DEBT, points)

    def _from_own_lots(self, place: int, bucket: Bucket) -> None:
        for lot in self._own:
            left = self._left.get(lot, [0, 0])
            left[place] -= self._move(lot, lot, bucket, left[place])

    def _from_other_lots(self) -> None:
        others = [lot.id for lot in consumption_order(self._state.lots.values()) if lot.unit == self._unit]
        for other in others:
            for lot in self._own:
                self._left[other][1] -= self._move(lot, other, Bucket.AVAILABLE, self._left[other][1])

    def _move(self, owing: str, lot: str, source: Bucket, at_most: int) -> int:
        points = min(at_most, self._own[owing])
        if points:
            self._own[owing] -= points
            self.moves.append(Move(self._unit, lot, source, self._target, points))
        return points


def _losses(changes: Sequence[RuleChange]) -> Mapping[str, Mapping[str, int]]:
    """By unit and lot, what has to go: where one rule loses and another gains, the difference."""
    return _net([(change.unit, change.lot, change.before - change.after) for change in changes])


def _gains(changes: Sequence[RuleChange]) -> Mapping[str, Mapping[str, int]]:
    return _net([(change.unit, change.lot, change.after - change.before) for change in changes])


def _net(shares: Sequence[tuple[str, str, int]]) -> Mapping[str, Mapping[str, int]]:
    wanted: dict[str, int] = {}
    for unit, _, points in shares:
        wanted[unit] = wanted.get(unit, 0) + points
    net: dict[str, dict[str, int]] = {}
    for unit, lot, points in shares:
        part = min(points, wanted[unit])
        if part > 0:
            wanted[unit] -= part
            lots = net.setdefault(unit, {})
            lots[lot] = lots.get(lot, 0) + part
    return net


def gains_by_lot(changes: Sequence[RuleChange]) -> list[tuple[str, int]]:
    """By lot, what the changes give."""
    return [gain for lots in _gains(changes).values() for gain in lots.items()]


def _expired(known: Iterable[Fact], lots: Mapping[str, int]) -> Mapping[str, int]:
    expired: dict[str, int] = {}
    for fact in known:
        for move in fact.moves:
            if move.lot in lots:
                sign = (move.target is Bucket.EXPIRED) - (move.source is Bucket.EXPIRED)
                expired[move.lot] = expired.get(move.lot, 0) + sign * move.points
    return expired
