"""Adjudication: what a purchase or an activity earns by the rules, exactly, and why.

The order is rate, tier factor, best-of, rounding, cap. Amounts stay integers over a common denominator to the end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from math import gcd
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from services.ledger.domain.evidence import Award, CapUse, CarryChange, LineShare
from services.ledger.domain.facts import Line, Tender
from services.ledger.domain.rules import Basis, Cap, Occasion, Rounding, Rule, Rules, within
from services.ledger.domain.state import carry_key

POINTS_TENDER = "points"

# A line that counts: number, eligible numerator, category with a slash behind it (for matching by prefix), line.
_Sold = tuple[int, int, str, Line]


class Basket(Protocol):
    """What adjudication reads of a purchase: the command and the recorded fact both have it."""

    @property
    def store(self) -> str: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def partner(self) -> str | None: ...
    @property
    def time_zone(self) -> str | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def tax_included(self) -> bool: ...
    @property
    def lines(self) -> tuple[Line, ...]: ...
    @property
    def tenders(self) -> tuple[Tender, ...]: ...


class Allowance(NamedTuple):
    """What the member has used and carries, and the tier that counts: the part of the account that earning reads."""

    tier: str | None
    caps: Mapping[str, Mapping[str, int]]
    carries: Mapping[str, Fraction]


class Eligible(NamedTuple):
    """What of each line counts: numerators over one denominator, in minor units."""

    lines: tuple[int, ...]
    over: int

    @property
    def minor(self) -> int:
        return sum(self.lines) // self.over


class _Claim(NamedTuple):
    """What a rule would give before rounding and cap: `exact` over `over`."""

    rule: Rule
    exact: int
    over: int
    lines: tuple[LineShare, ...]


def adjudicate(
    rules: Rules, basket: Basket, occurred_at: datetime, allowance: Allowance
) -> tuple[Eligible, tuple[Award, ...]]:
    """What a purchase earns; a basket in another currency than the programme's earns nothing."""
    eligible = eligible_amounts(rules, basket)
    return eligible, adjudicate_eligible(rules, basket, eligible, occurred_at, allowance)


def adjudicate_eligible(
    rules: Rules, basket: Basket, eligible: Eligible, occurred_at: datetime, allowance: Allowance
) -> tuple[Award, ...]:
    """What a basket earns of which so much counts."""
    if basket.currency != rules.currency:
        return ()
    local = occurred_at.astimezone(rules.zone)
    store_local = occurred_at.astimezone(ZoneInfo(basket.time_zone)) if basket.time_zone else local
    occasion = Occasion(basket.channel, basket.store, basket.partner, allowance.tier, local, store_local)
    sold = _sold(rules, basket, eligible)
    claims = [
        claim
        for rule in rules.for_purchases
        if rule.applies(occasion) and (claim := _claim(rule, basket, eligible, sold, allowance.tier)) is not None
    ]
    return _awards(rules, claims, local, allowance)


def adjudicate_activity(rules: Rules, activity: str, occurred_at: datetime, allowance: Allowance) -> tuple[Award, ...]:
    """What an activity earns: the rules that name it, where they give a fixed number."""
    local = occurred_at.astimezone(rules.zone)
    occasion = Occasion(None, None, None, allowance.tier, local, local)
    claims = [
        _once(rule, allowance.tier)
        for rule in rules.for_activity(activity)
        if rule.earn.basis is Basis.FIXED and rule.applies(occasion)
    ]
    return _awards(rules, claims, local, allowance)


def adjudicate_gift(rules: Rules, campaign: str, occurred_at: datetime, allowance: Allowance) -> tuple[Award, ...]:
    """What a campaign gives; nothing where this version has no such campaign, or it gives nothing."""
    gift = rules.gifts.get(campaign)
    claims = [] if gift is None else [_once(gift, allowance.tier)]
    return _awards(rules, claims, occurred_at.astimezone(rules.zone), allowance)


def eligible_amounts(rules: Rules, basket: Basket) -> Eligible:
    """Net of every line that is not excluded, with or without tax, less the share of the basket paid with points."""
    return _in_money(_counted(rules, basket), basket)


def eligible_rest(rules: Rules, sold: Basket, rest: Basket) -> Eligible:
    """The same of what is left of a basket, which was paid with points in the same share as the whole of it."""
    return _in_money(_counted(rules, rest), sold)


def eligible_as_sold(basket: Basket) -> Eligible:
    """What was sold, where no version of the rules says what counts."""
    return Eligible(tuple([line.net for line in basket.lines]), 1)


def _counted(rules: Rules, basket: Basket) -> tuple[int, ...]:
    tax_sign = rules.tax_counts - basket.tax_included
    excluded = rules.excluded
    return tuple(
        [
            0 if excluded is not None and within(line.category, excluded) else line.net + tax_sign * line.tax
            for line in basket.lines
        ]
    )


def _in_money(counted: tuple[int, ...], sold: Basket) -> Eligible:
    paid_with_points = sum([tender.amount for tender in sold.tenders if tender.type == POINTS_TENDER])
    if not paid_with_points:
        return Eligible(counted, 1)
    gross = sum([line.net if sold.tax_included else line.net + line.tax for line in sold.lines])
    money = max(gross - paid_with_points, 0)
    common = gcd(gross, money) or 1
    return Eligible(tuple([amount * (money // common) for amount in counted]), max(gross // common, 1))


def _sold(rules: Rules, basket: Basket, eligible: Eligible) -> list[_Sold]:
    excluded = rules.excluded or ()
    return [
        (line.line, amount, path, line)
        for line, amount in zip(basket.lines, eligible.lines, strict=True)
        if not (path := (line.category or "") + "/").startswith(excluded)
    ]


def _claim(rule: Rule, basket: Basket, eligible: Eligible, sold: Sequence[_Sold], tier: str | None) -> _Claim | None:
    when = rule.when
    if when.minimum_minor is not None and sum(eligible.lines) < when.minimum_minor * eligible.over:
        return None
    matched = _matched(rule, sold)
    if not matched and (rule.below is not None or when.skus is not None):
        return None
    if rule.earn.basis is Basis.AMOUNT:
        return _by_amount(rule, basket, matched, eligible.over, tier)
    if when.tenders is not None and not any(tender.type in when.tenders for tender in basket.tenders):
        return None
    return _by_item(rule, matched, tier) if rule.earn.basis is Basis.ITEM else _once(rule, tier)


def _matched(rule: Rule, sold: Sequence[_Sold]) -> Sequence[_Sold]:
    below, skus = rule.below, rule.when.skus
    if below is not None:
        sold = [line for line in sold if line[2].startswith(below)]
    return sold if skus is None else [line for line in sold if line[3].sku in skus]


def _by_amount(
    rule: Rule, basket: Basket, matched: Sequence[_Sold], eligible_over: int, tier: str | None
) -> _Claim | None:
    rate, over = rule.tier_rates.get(tier, rule.rate)
    over *= eligible_over
    if rule.when.tenders is not None:
        money = [tender for tender in basket.tenders if tender.type != POINTS_TENDER]
        rate *= sum([tender.amount for tender in money if tender.type in rule.when.tenders])
        over *= sum([tender.amount for tender in money])
    if not rate or not over:
        return None
    return _of_shares(rule, [(line, amount * rate) for line, amount, _, _ in matched if amount > 0], over)


def _by_item(rule: Rule, matched: Sequence[_Sold], tier: str | None) -> _Claim | None:
    rate, over = rule.tier_rates.get(tier, rule.rate)
    quantities = [(number, *_quantity(line.quantity)) for number, _, _, line in matched]
    finest = max([steps for _, _, steps in quantities], default=1)
    shares = [(line, number * (finest // steps) * rate) for line, number, steps in quantities if number]
    return _of_shares(rule, shares, over * finest)


def _of_shares(rule: Rule, shares: Sequence[LineShare], over: int) -> _Claim | None:
    exact = sum([points for _, points in shares])
    return _Claim(rule, exact, over, tuple(shares)) if exact > 0 else None


def _once(rule: Rule, tier: str | None) -> _Claim:
    rate, over = rule.tier_rates.get(tier, rule.rate)
    return _Claim(rule, rate, over, ())


@lru_cache(maxsize=4_096)
def _quantity(text: str) -> tuple[int, int]:
    whole, _, decimals = text.partition(".")
    return int(whole + decimals), 10 ** len(decimals)


def _awards(rules: Rules, claims: Sequence[_Claim], local: datetime, allowance: Allowance) -> tuple[Award, ...]:
    awards = [_award(rules, claim, local, allowance) for claim in _best_of_each_group(claims)]
    return tuple([award for award in awards if award.uncapped or award.carry is not None])


def _best_of_each_group(claims: Sequence[_Claim]) -> Sequence[_Claim]:
    best: dict[str, _Claim] = {}
    for claim in claims:
        group = claim.rule.best_of
        if group is not None:
            rival = best.get(group)
            if rival is None or claim.exact * rival.over > rival.exact * claim.over:
                best[group] = claim
    if not best:
        return claims
    return [claim for claim in claims if claim.rule.best_of is None or best[claim.rule.best_of] is claim]


def _award(rules: Rules, claim: _Claim, local: datetime, allowance: Allowance) -> Award:
    rule = claim.rule
    uncapped, carry = _rounded(claim, allowance.carries)
    cap = None if rule.cap is None else _cap_use(rule.id, rule.cap, local, allowance.caps)
    points = uncapped if cap is None else min(uncapped, max(cap.limit - cap.used, 0))
    lot = rules.lot_of(rule, local)
    return Award(rule.id, rule.earn.unit, points, uncapped, lot, claim.over, claim.lines, cap, carry)


def _rounded(claim: _Claim, carries: Mapping[str, Fraction]) -> tuple[int, CarryChange | None]:
    earn = claim.rule.earn
    if earn.carry:
        before = carries.get(carry_key(claim.rule.id, earn.unit), Fraction(0))
        total = before + Fraction(claim.exact, claim.over)
        points = total.numerator // total.denominator
        return points, CarryChange(before, total - points)
    if earn.scope == "line" and claim.lines:
        return sum(_round(points, claim.over, earn.rounding) for _, points in claim.lines), None
    return _round(claim.exact, claim.over, earn.rounding), None


def _round(exact: int, over: int, rounding: Rounding) -> int:
    if rounding == "down":
        return exact // over
    if rounding == "up":
        return -(-exact // over)
    return (2 * exact + over) // (2 * over)


def _cap_use(rule: str, cap: Cap, local: datetime, caps: Mapping[str, Mapping[str, int]]) -> CapUse:
    period = _period(cap, local)
    return CapUse(period, caps.get(rule, {}).get(period, 0), cap.points)


def _period(cap: Cap, local: datetime) -> str:
    match cap.per:
        case "day":
            return local.date().isoformat()
        case "week":
            year, week, _ = local.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{local.year}-{local.month:02}"
        case "year":
            return str(local.year)
        case "lifetime":
            return "lifetime"
