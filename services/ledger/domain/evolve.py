"""The effect of a fact. Never refuses; what cannot be true stops the fold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import assert_never

from services.ledger.domain.evidence import Award, RuleChange
from services.ledger.domain.facts import (
    ActivityRecorded,
    Fact,
    MemberStatusApplied,
    PointsActivated,
    PointsCorrected,
    PointsExpired,
    PointsRedeemed,
    PointsRestored,
    PointsSpentAgain,
    PurchaseRecorded,
    Readjudicated,
    RedemptionCancelled,
    ReturnRecorded,
    ReturnVoided,
    TierApplied,
)
from services.ledger.domain.lots import Lot, lot_terms
from services.ledger.domain.moves import SOURCES, Bucket, Move
from services.ledger.domain.state import AccountState, Balance, TierStep, carry_key

CAP_PERIODS_KEPT = 64

_PENDING = Bucket.PENDING.position
_HELD = Bucket.HELD.position


class BrokenInvariantError(AssertionError):
    """The books would stop balancing: a fault of ours, which stops the fold at this fact."""


def fold(state: AccountState, facts: Iterable[Fact]) -> AccountState:
    return reduce(evolve, facts, state)


def evolve(state: AccountState, fact: Fact) -> AccountState:
    """The account after the fact; BrokenInvariantError when a bucket would go below zero or time run backwards."""
    recorded_at = fact.cause.recorded_at
    if state.last_recorded_at is not None and recorded_at < state.last_recorded_at:
        raise BrokenInvariantError(f"recorded before its predecessor: {recorded_at} < {state.last_recorded_at}")
    units = _moved_units(state, fact.moves)
    lots = _moved_lots(state, fact.moves)
    match fact:
        case PurchaseRecorded() | ActivityRecorded():
            return AccountState(
                state.member_id, state.member_seq + 1, recorded_at, state.status, state.status_version,
                units, lots, _used_caps(state.caps, fact.awards), _carried(state.carries, fact.awards),
                state.tiers, state.tier_seq, state.visits + _is_visit(fact), state.rewards,
            )  # fmt: skip
        case PointsExpired() | PointsActivated() | PointsRestored() | PointsSpentAgain():
            return replace(state, member_seq=state.member_seq + 1, last_recorded_at=recorded_at, units=units, lots=lots)
        case ReturnRecorded() | ReturnVoided() | PointsCorrected():
            return _readjudicated(state, fact, units, lots)
        case PointsRedeemed() | RedemptionCancelled():
            return replace(
                state, member_seq=state.member_seq + 1, last_recorded_at=recorded_at, units=units, lots=lots,
                rewards=_counted_rewards(state, fact),
            )  # fmt: skip
        case TierApplied():
            return _with_tier(state, fact)
        case MemberStatusApplied():
            return replace(
                state, member_seq=state.member_seq + 1, last_recorded_at=recorded_at,
                status=fact.status, status_version=fact.version,
            )  # fmt: skip
        case _:
            assert_never(fact)


def _is_visit(fact: PurchaseRecorded | ActivityRecorded) -> int:
    return int(isinstance(fact, PurchaseRecorded) and fact.kind == "sale")


def _moved_units(state: AccountState, moves: Sequence[Move]) -> Mapping[str, Balance]:
    if not moves:
        return state.units
    work: dict[str, list[int]] = {}
    for move in moves:
        buckets = work.get(move.unit)
        if buckets is None:
            balance = state.units.get(move.unit)
            buckets = work[move.unit] = balance.buckets() if balance is not None else [0] * len(Bucket)
        if move.points <= 0:
            raise BrokenInvariantError(f"{move} moves nothing")
        buckets[move.source.position] -= move.source.sign * move.points
        buckets[move.target.position] += move.target.sign * move.points
    units = dict(state.units)
    for unit, buckets in work.items():
        if min(buckets) < 0 or sum(buckets[:SOURCES]) != sum(buckets[SOURCES:]):
            raise BrokenInvariantError(f"{state.member_id}: {unit} would not balance: {buckets}")
        units[unit] = Balance(*buckets)
    return units


def _moved_lots(state: AccountState, moves: Sequence[Move]) -> Mapping[str, Lot]:
    if not moves:
        return state.lots
    work: dict[str, list[int]] = {}
    for move in moves:
        if not move.lot:
            continue
        kept = work.get(move.lot)
        if kept is None:
            lot = state.lots.get(move.lot)
            kept = work[move.lot] = [lot.pending, lot.available, lot.held] if lot is not None else [0, 0, 0]
        if _PENDING <= move.source.position <= _HELD:
            kept[move.source.position - _PENDING] -= move.points
        if _PENDING <= move.target.position <= _HELD:
            kept[move.target.position - _PENDING] += move.points
    lots = dict(state.lots)
    for lot_id, kept in work.items():
        if min(kept) < 0:
            raise BrokenInvariantError(f"{state.member_id}: lot {lot_id} would go below zero: {kept}")
        if any(kept):
            lots[lot_id] = Lot(lot_id, *lot_terms(lot_id), *kept)
        else:
            lots.pop(lot_id, None)
    return lots


def _used_caps(caps: Mapping[str, Mapping[str, int]], awards: Sequence[Award]) -> Mapping[str, Mapping[str, int]]:
    for award in awards:
        if award.cap is not None and award.points:
            used = dict(caps.get(award.rule, {}))
            used[award.cap.period] = used.get(award.cap.period, 0) + award.points
            if len(used) > CAP_PERIODS_KEPT:
                del used[min(used)]
            caps = {**caps, award.rule: used}
    return caps


def _readjudicated(
    state: AccountState, fact: Readjudicated, units: Mapping[str, Balance], lots: Mapping[str, Lot]
) -> AccountState:
    return replace(
        state,
        member_seq=state.member_seq + 1,
        last_recorded_at=fact.cause.recorded_at,
        units=units,
        lots=lots,
        caps=_changed_caps(state.caps, fact.changes),
        carries=_carried(state.carries, fact.changes),
    )


def _changed_caps(
    caps: Mapping[str, Mapping[str, int]], changes: Sequence[RuleChange]
) -> Mapping[str, Mapping[str, int]]:
    for change in changes:
        known = caps.get(change.rule, {})
        # A period so long ago that it is no longer counted has no allowance left to free.
        if change.period is None or (change.after <= change.before and change.period not in known):
            continue
        used = {**known, change.period: max(known.get(change.period, 0) + change.after - change.before, 0)}
        kept = {period: points for period, points in used.items() if points}
        if len(kept) > CAP_PERIODS_KEPT:
            del kept[min(kept)]
        others = {rule: periods for rule, periods in caps.items() if rule != change.rule}
        caps = {**others, change.rule: kept} if kept else others
    return caps


def _carried(carries: Mapping[str, Fraction], awards: Sequence[Award | RuleChange]) -> Mapping[str, Fraction]:
    for award in awards:
        if award.carry is not None:
            key = carry_key(award.rule, award.unit)
            if carries.get(key, 0) != award.carry.before:
                raise BrokenInvariantError(f"{key} carries {carries.get(key, 0)}, not {award.carry.before}")
            others = {known: carry for known, carry in carries.items() if known != key}
            carries = {**others, key: award.carry.after} if award.carry.after else others
    return carries


def _counted_rewards(state: AccountState, fact: PointsRedeemed | RedemptionCancelled) -> Mapping[str, int]:
    match fact:
        case PointsRedeemed():
            reward, change = fact.reward or fact.as_money, int(fact.per_member is not None)
        case RedemptionCancelled():
            reward, change = fact.limited, -int(fact.frees_allowance)
    if reward is None or not change or (taken := state.taken(reward)) is None:
        return state.rewards
    if taken + change < 0:
        raise BrokenInvariantError(f"{state.member_id}: fewer than none of {reward}")
    # Nothing of it is still counted as nothing: were it dropped, a reward counted by the entries could slip in.
    return {**state.rewards, reward: taken + change}


def _with_tier(state: AccountState, fact: TierApplied) -> AccountState:
    if fact.tier_seq != state.tier_seq + 1:
        raise BrokenInvariantError(f"{state.member_id}: tier change {fact.tier_seq} after {state.tier_seq}")
    step = TierStep(fact.effective_from, fact.tier, fact.tier_seq)
    return replace(
        state,
        member_seq=state.member_seq + 1,
        last_recorded_at=fact.cause.recorded_at,
        tiers=tuple(sorted((*state.tiers, step), key=lambda known: (known.effective_from, known.seq))),
        tier_seq=fact.tier_seq,
    )
