"""Commands become facts. Happens once: what is decided here is recorded and never decided again."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from services.ledger.domain.commands import (
    ApplyStatus,
    ApplyTier,
    CancelRedemption,
    Command,
    RecordActivity,
    RecordPurchase,
    RecordReturn,
    RedeemPoints,
    Settle,
)
from services.ledger.domain.crediting import by_fate, credit, expired_on_arrival
from services.ledger.domain.earning import (
    Allowance,
    Eligible,
    adjudicate,
    adjudicate_activity,
    adjudicate_gift,
    eligible_as_sold,
)
from services.ledger.domain.evidence import Award
from services.ledger.domain.evolve import evolve, fold
from services.ledger.domain.facts import (
    ActivityRecorded,
    Cause,
    Fact,
    MemberStatusApplied,
    PurchaseRecorded,
    TierApplied,
)
from services.ledger.domain.instants import in_utc
from services.ledger.domain.redemption import cancel_redemption, redeem_points
from services.ledger.domain.returns import corrections, decide_return
from services.ledger.domain.rules import Rules, rules_in_force
from services.ledger.domain.settle import due_facts, now_of
from services.ledger.domain.state import AccountState

SALE = "sale"
NO_VERSION = 0


class NoProgrammeKnown(Exception):
    """No version of the programme has been heard of: the purchase waits, for "no rule known" is not a decision."""


class TierNumberGapError(Exception):
    """A tier change is missing before this one: `expected` and `found` are its numbers."""

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(f"expected tier change {expected}, found {found}")
        self.expected = expected
        self.found = found


def decide(
    state: AccountState, command: Command, versions: Sequence[Rules], past: Sequence[Fact] = ()
) -> tuple[Fact, ...]:
    """The facts that a command leaves, in stream order; () when it changes nothing.

    What is due is settled first. The rules are those in force at `occurred_at`, the tier the one known for that
    instant. What judges earlier purchases again (a return, a tier change) finds their facts, in order, in `past`.
    Raises NoProgrammeKnown, TierNumberGapError, and refusals of what a till asks for; that the event is new is the
    caller's to know (`arrivals`).
    """
    match command:
        case RecordPurchase():
            return _record_purchase(state, command, versions)
        case RecordReturn():
            return decide_return(state, command, versions, past)
        case RecordActivity():
            return _record_activity(state, command, versions)
        case ApplyTier():
            return _apply_tier(state, command, versions, past)
        case ApplyStatus():
            return _apply_status(state, command)
        case Settle():
            return due_facts(state, now_of(state, command.clock))
        case RedeemPoints():
            return redeem_points(state, command, versions)
        case CancelRedemption():
            return cancel_redemption(state, command, versions)
        case _:
            assert_never(command)


def _record_purchase(state: AccountState, command: RecordPurchase, versions: Sequence[Rules]) -> tuple[Fact, ...]:
    now = now_of(state, command.clock)
    dragged, state = _settled(state, command, now)
    occurred_at = in_utc(command.occurred_at)
    rules = _rules(versions, occurred_at)
    tier = state.tier_at(occurred_at)
    visit = state.visits + 1 if command.kind == SALE else state.visits
    eligible, awards = _adjudicated(state, command, rules, occurred_at, tier)
    given, past = by_fate([(award.lot, award.points) for award in awards], now)
    cause = Cause(command.event_id, 0, occurred_at, now, command.position)
    recorded = PurchaseRecorded(
        cause, credit(state, given, past, now), command.kind, command.source, command.store, command.terminal,
        command.business_day, command.sequence, command.fingerprint, _version(rules), tier, visit,
        command.channel, command.partner, command.time_zone, command.currency, command.tax_included,
        command.lines, command.tenders, eligible.lines, eligible.over, eligible.minor, awards,
    )  # fmt: skip
    return (*dragged, recorded, *expired_on_arrival(cause, past, len(dragged) + 1))


def _adjudicated(
    state: AccountState, command: RecordPurchase, rules: Rules | None, occurred_at: datetime, tier: str | None
) -> tuple[Eligible, tuple[Award, ...]]:
    if rules is None or command.kind != SALE:
        return eligible_as_sold(command), ()
    return adjudicate(rules, command, occurred_at, Allowance(tier, state.caps, state.carries))


def _record_activity(state: AccountState, command: RecordActivity, versions: Sequence[Rules]) -> tuple[Fact, ...]:
    now = now_of(state, command.clock)
    dragged, state = _settled(state, command, now)
    occurred_at = in_utc(command.occurred_at)
    rules = _rules(versions, occurred_at)
    tier = state.tier_at(occurred_at)
    awards = _awards_of(command, rules, occurred_at, Allowance(tier, state.caps, state.carries))
    given, past = by_fate([(award.lot, award.points) for award in awards], now)
    cause = Cause(command.event_id, 0, occurred_at, now, command.position)
    recorded = ActivityRecorded(
        cause, credit(state, given, past, now), command.source, command.activity, command.reference,
        command.fingerprint, _version(rules), tier, awards,
    )  # fmt: skip
    return (*dragged, recorded, *expired_on_arrival(cause, past, len(dragged) + 1))


def _awards_of(
    command: RecordActivity, rules: Rules | None, occurred_at: datetime, allowance: Allowance
) -> tuple[Award, ...]:
    if rules is None:
        return ()
    if command.campaign is not None:
        return adjudicate_gift(rules, command.campaign, occurred_at, allowance)
    return adjudicate_activity(rules, command.activity, occurred_at, allowance)


def _apply_tier(
    state: AccountState, command: ApplyTier, versions: Sequence[Rules], past: Sequence[Fact]
) -> tuple[Fact, ...]:
    if command.tier_seq <= state.tier_seq:
        return ()
    if command.tier_seq != state.tier_seq + 1:
        raise TierNumberGapError(expected=state.tier_seq + 1, found=command.tier_seq)
    now = now_of(state, command.clock)
    dragged, state = _settled(state, command, now)
    cause = Cause(command.event_id, 0, in_utc(command.occurred_at), now, command.position)
    effective_from = in_utc(command.effective_from)
    applied = TierApplied(cause, (), command.tier, effective_from, command.tier_seq, command.retroactive)
    if command.ends_period or not past:
        return (*dragged, applied)
    return (*dragged, applied, *corrections(evolve(state, applied), applied, past, versions, len(dragged) + 1))


def _apply_status(state: AccountState, command: ApplyStatus) -> tuple[Fact, ...]:
    if command.version <= state.status_version or command.status == state.status:
        return ()
    now = now_of(state, command.clock)
    dragged, _ = _settled(state, command, now)
    cause = Cause(command.event_id, 0, in_utc(command.occurred_at), now, command.position)
    return (*dragged, MemberStatusApplied(cause, (), command.status, command.version))


def _settled(
    state: AccountState, command: RecordPurchase | RecordActivity | ApplyTier | ApplyStatus, now: datetime
) -> tuple[tuple[Fact, ...], AccountState]:
    dragged = due_facts(state, now, decision=command.event_id, position=command.position)
    return (dragged, fold(state, dragged)) if dragged else ((), state)


def _rules(versions: Sequence[Rules], occurred_at: datetime) -> Rules | None:
    if not versions:
        raise NoProgrammeKnown
    return rules_in_force(versions, occurred_at)


def _version(rules: Rules | None) -> int:
    return NO_VERSION if rules is None else rules.version
