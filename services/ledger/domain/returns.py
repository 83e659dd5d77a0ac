"""What comes back: a return takes what the sale no longer earns, a void of it gives that back, a tier heard of late
corrects what a purchase earned. All three judge the sale again from its facts."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ledger.domain.clawback import bring_back, gains_by_lot, take
from services.ledger.domain.commands import RecordReturn
from services.ledger.domain.crediting import by_fate, credit, expired_on_arrival
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import (
    Cause,
    Fact,
    PointsCorrected,
    PurchaseRecorded,
    ReturnRecorded,
    ReturnVoided,
    TierApplied,
)
from services.ledger.domain.ids import EventId
from services.ledger.domain.instants import in_utc
from services.ledger.domain.readjudication import Direction, Judgement, changes
from services.ledger.domain.rest import MORE_THAN_SOLD, Rest
from services.ledger.domain.restoring import Changing, give_back, review_of_payment, spend_again
from services.ledger.domain.rules import Rules, rules_in_force
from services.ledger.domain.sale import VOID, Sale, sales_in
from services.ledger.domain.settle import due_facts, now_of
from services.ledger.domain.state import AccountState

ALREADY_VOIDED = "already_voided"
OTHER_CURRENCY = "other_currency"
NOT_A_SALE = "not_a_sale"


class OriginalMissingError(Exception):
    """A return came before its original, which the door and the order of the topic rule out."""


class VersionMissingError(Exception):
    """A purchase was adjudicated by a version of the programme that is not known any more."""


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What a decision about a return has in common with the next; the account is settled."""

    state: AccountState
    command: RecordReturn
    cause: Cause
    known: Sequence[Fact]
    dragged: Sequence[Fact]
    versions: Sequence[Rules]


def decide_return(
    state: AccountState, command: RecordReturn, versions: Sequence[Rules], past: Sequence[Fact]
) -> tuple[Fact, ...]:
    """The facts of a return or a void; `past` has those of the original, of its returns, and every expiry.

    Where points paid for the original, it also has their redemptions and whatever else those paid.

    Raises OriginalMissingError.
    """
    now = now_of(state, command.clock)
    dragged = due_facts(state, now, decision=command.event_id, position=command.position)
    cause = Cause(command.event_id, 0, in_utc(command.occurred_at), now, command.position)
    deciding = _Deciding(fold(state, dragged), command, cause, (*past, *dragged), dragged, versions)
    sales = sales_in(past)
    match _original(past, command.original_id):
        case PurchaseRecorded():
            return _return_of(deciding, sales[command.original_id])
        case ReturnRecorded() | ReturnVoided() as returned:
            return _void_of(deciding, sales[returned.original_id])
        case _:
            raise OriginalMissingError(f"{command.kind} {command.event_id}: no entry of {command.original_id}")


def corrections(
    state: AccountState, applied: TierApplied, past: Sequence[Fact], versions: Sequence[Rules], first_part: int
) -> tuple[Fact, ...]:
    """One fact for each purchase that earns more by the tier that its member had; `state` is that after `applied`."""
    facts: list[Fact] = []
    for sale in sales_in(past).values():
        tier = state.tier_at(sale.occurred_at)
        if tier != sale.tier and sale.occurred_at >= applied.effective_from:
            corrected = _corrected(state, sale, tier, applied, versions, first_part + len(facts))
            state = fold(state, corrected)
            facts += corrected
    return tuple(facts)


def _corrected(
    state: AccountState,
    sale: Sale,
    tier: str | None,
    applied: TierApplied,
    versions: Sequence[Rules],
    part: int,
) -> list[Fact]:
    rules = _rules_of(sale, versions)
    changed = changes(state, sale, rules, Judgement(sale.rest().lines, tier), Direction.CORRECT)
    if not changed:
        return []
    because = applied.cause
    cause = Cause(because.event_id, part, sale.occurred_at, because.recorded_at, because.position)
    given, past = by_fate(gains_by_lot(changed), because.recorded_at)
    moves = credit(state, given, past, because.recorded_at)
    version, original_id = sale.sold.programme_version, sale.sold.cause.event_id
    corrected = PointsCorrected(cause, moves, original_id, version, tier, changed)
    return [corrected, *expired_on_arrival(cause, past, part + 1)]


def _return_of(deciding: _Deciding, sale: Sale) -> tuple[Fact, ...]:
    command, state = deciding.command, deciding.state
    is_foreign = command.currency != sale.sold.currency and command.kind != VOID
    lines = () if is_foreign else command.lines
    rest = sale.rest_with(command.kind, lines)
    changing = _changing(deciding, sale, rest)
    in_force = rules_in_force(deciding.versions, deciding.cause.occurred_at)
    # What comes back is there to be taken: nobody owes, or is let off, what the same return gives.
    restored = give_back(state, changing, in_force)
    state = fold(state, restored)
    rules = _rules_of(sale, deciding.versions)
    changed = changes(state, sale, rules, Judgement(rest.lines, sale.tier), Direction.TAKE)
    moves, waived = take(state, (*deciding.known, *restored), changed, rules)
    review = OTHER_CURRENCY if is_foreign else _review_of_return(command, sale, rest)
    review = review or review_of_payment(changing, command.tenders, gave_back=bool(restored))
    recorded = ReturnRecorded(
        deciding.cause, moves, command.kind, command.original_id, sale.occurred_at, command.source, command.store,
        command.terminal, command.business_day, command.sequence, command.fingerprint, command.currency, lines,
        command.tenders, rest.brought_back, sale.sold.programme_version, sale.tier, changed, waived, review,
    )  # fmt: skip
    return (*deciding.dragged, *restored, recorded)


def _review_of_return(command: RecordReturn, sale: Sale, rest: Rest) -> str | None:
    if not sale.is_voided:
        return rest.review
    return ALREADY_VOIDED if command.kind == VOID else MORE_THAN_SOLD


def _void_of(deciding: _Deciding, sale: Sale) -> tuple[Fact, ...]:
    command, state, return_id = deciding.command, deciding.state, deciding.command.original_id
    is_void = command.kind == VOID and return_id in sale.returns
    rest = sale.rest_without(return_id) if is_void else sale.rest()
    rules = _rules_of(sale, deciding.versions)
    changed = changes(state, sale, rules, Judgement(rest.lines, sale.tier), Direction.GIVE_BACK) if is_void else ()
    back = bring_back(state, sale, changed, deciding.cause.recorded_at)
    review = None if is_void else ALREADY_VOIDED if command.kind == VOID else NOT_A_SALE
    voided = ReturnVoided(
        deciding.cause, back.moves, return_id, sale.sold.cause.event_id, sale.occurred_at, command.source,
        command.store, command.terminal, command.business_day, command.sequence, command.fingerprint,
        rest.brought_back, sale.sold.programme_version, sale.tier, changed, back.waived, review,
    )  # fmt: skip
    facts: list[Fact] = [voided, *expired_on_arrival(deciding.cause, back.past, len(deciding.dragged) + 1)]
    if is_void:
        facts += spend_again(fold(state, facts), _changing(deciding, sale, rest, *facts), rules, return_id)
    return (*deciding.dragged, *facts)


def _changing(deciding: _Deciding, sale: Sale, rest: Rest, *decided: Fact) -> Changing:
    first_part = len(deciding.dragged) + max(len(decided), 1)
    return Changing(
        sale=sale,
        lines=rest.lines,
        known=(*deciding.known, *decided),
        cause=deciding.cause,
        first_part=first_part,
    )


def _original(past: Sequence[Fact], original_id: EventId) -> Fact | None:
    return next((fact for fact in past if fact.cause.event_id == original_id and fact.cause.part == 0), None)


def _rules_of(sale: Sale, versions: Sequence[Rules]) -> Rules | None:
    wanted = sale.sold.programme_version
    if not wanted:
        return None
    for rules in versions:
        if rules.version == wanted:
            return rules
    raise VersionMissingError(f"purchase {sale.sold.cause.event_id} was adjudicated by version {wanted}")
