"""A sale judged again by its own version and cap, with other lines or another tier: what changes by each rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

from services.ledger.domain.earning import Allowance, adjudicate_eligible, eligible_rest
from services.ledger.domain.evidence import Award, CapUse, CarryChange, RuleChange
from services.ledger.domain.facts import Line, PurchaseRecorded
from services.ledger.domain.rules import Rule, Rules
from services.ledger.domain.sale import ByRule, Sale
from services.ledger.domain.state import AccountState, carry_key


class Direction(Enum):
    """A return takes and never gives, a void of one gives back what was taken, a correction gives."""

    TAKE = "take"
    GIVE_BACK = "give_back"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is left of a sale, and the tier by which it earns."""

    lines: Sequence[Line]
    tier: str | None


def changes(
    state: AccountState, sale: Sale, rules: Rules | None, after: Judgement, direction: Direction
) -> tuple[RuleChange, ...]:
    """What the sale has by each rule, before and after; only the rules by which it changes. No rules: nothing."""
    if rules is None:
        return ()
    was = _entitled(rules, sale.sold, Judgement(sale.rest().lines, sale.tier))
    now = _entitled(rules, sale.sold, after)
    then = {award.rule: award for award in sale.sold.awards}
    # The order of the sale's own awards first: it is the order in which its lots are looked at.
    found = []
    for rule in dict.fromkeys((*sale.rules, *now)):
        awards = _Thrice(then.get(rule), was.get(rule), now.get(rule))
        found.append(_change(state, rules.rule(rule), sale.rules.get(rule), awards, direction))
    return tuple(_in_one_direction([change for change in found if change is not None], direction))


@dataclass(frozen=True, slots=True)
class _Thrice:
    """A rule's award as recorded, as it stood until now, and as it should be; None = it gives nothing."""

    recorded: Award | None
    before: Award | None
    after: Award | None


def _entitled(rules: Rules, sold: PurchaseRecorded, judged: Judgement) -> Mapping[str, Award]:
    if not judged.lines:
        return {}
    rest = replace(sold, lines=tuple(judged.lines))
    eligible = eligible_rest(rules, sold, rest)
    used = {award.rule: {award.cap.period: award.cap.used} for award in sold.awards if award.cap is not None}
    allowance = Allowance(judged.tier, used, {})
    awards = adjudicate_eligible(rules, rest, eligible, sold.cause.occurred_at, allowance)
    return {award.rule: award for award in awards}


def _change(
    state: AccountState, rule: Rule, held: ByRule | None, awards: _Thrice, direction: Direction
) -> RuleChange | None:
    evidence = awards.recorded or awards.after
    lot = held.lot if held is not None else awards.after.lot if awards.after is not None else ""
    before = held.points if held is not None else 0
    cap = evidence.cap if evidence is not None else None
    uncapped, carry = _wanted(state, rule, held, awards)
    wanted = uncapped if cap is None else min(uncapped, max(cap.limit - cap.used, 0))
    after = _allowed(state, rule, before, wanted, cap, direction)
    if after == before and (carry is None or carry.before == carry.after):
        return None
    period = None if cap is None else cap.period
    return RuleChange(rule.id, rule.earn.unit, lot, before, after, uncapped, period, carry)


def _wanted(state: AccountState, rule: Rule, held: ByRule | None, awards: _Thrice) -> tuple[int, CarryChange | None]:
    if not rule.earn.carry:
        return (awards.after.uncapped if awards.after is not None else 0), None
    # The remainder runs across purchases: what goes is what the running total loses, wherever it was rounded.
    carried = state.carries.get(carry_key(rule.id, rule.earn.unit), Fraction(0))
    total = carried + _exact(awards.after) - _exact(awards.before)
    points = total.numerator // total.denominator
    return (held.uncapped if held is not None else 0) + points, CarryChange(carried, total - points)


def _exact(award: Award | None) -> Fraction:
    if award is None or award.carry is None:
        return Fraction(0)
    return award.uncapped + award.carry.after


def _allowed(
    state: AccountState,
    rule: Rule,
    before: int,
    wanted: int,
    cap: CapUse | None,
    direction: Direction,
) -> int:
    # Of a best-of group another rule may win when lines go or come: one falls while the other rises.
    is_alone = rule.best_of is None and not rule.earn.carry
    if wanted < before:
        return before if is_alone and direction is Direction.GIVE_BACK else wanted
    if direction is Direction.TAKE and is_alone:
        return before
    if cap is not None:
        used = state.caps.get(rule.id, {}).get(cap.period, 0)
        wanted = min(wanted, before + max(cap.limit - used, 0))
    return max(wanted, before)


def _in_one_direction(found: Sequence[RuleChange], direction: Direction) -> list[RuleChange]:
    net: dict[str, int] = {}
    for change in found:
        net[change.unit] = net.get(change.unit, 0) + change.after - change.before
    if direction is Direction.TAKE:
        return [change for change in found if net[change.unit] <= 0]
    if direction is Direction.CORRECT:
        # Upwards only; without a whole point more there is nothing to tell.
        return [change for change in found if net[change.unit] > 0]
    return [change for change in found if net[change.unit] >= 0]
