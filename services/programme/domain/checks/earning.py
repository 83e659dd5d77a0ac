"""Earning rules: what they name, and whether they can ever give what they say."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from services.programme.domain.checks.references import undeclared_tier, undeclared_unit
from services.programme.domain.checks.windows import unusable_window
from services.programme.domain.document import GIFT_ACTIVITY, Expiry, Programme, Rule
from services.programme.domain.durations import after, rounded
from services.programme.domain.findings import Finding, Path, error, warning

# One leap year of starting days meets every length of month and every rounding.
_FIRST_SAMPLE = datetime(2027, 3, 1, 12)  # noqa: DTZ001 - a local day of the programme's calendar
_SAMPLE_DAYS = 366


def rules_name_declared_units(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        yield from undeclared_unit(programme, (*path, "earn", "unit"), rule.unit)


def rules_name_declared_tiers(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        for tier in rule.tiers:
            yield from undeclared_tier(programme, (*path, "when", "tier"), tier)
        for tier, factor in rule.tier_factors.items():
            yield from undeclared_tier(programme, (*path, "tier_factor", tier), tier)
            if not factor.strip("0."):
                message = f"members of {tier} would earn nothing by this rule"
                yield warning((*path, "tier_factor", tier), "factor_zero", message, "use a factor above 0, like 1.5")


def a_cap_holds_an_award(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        if rule.cap is not None and rule.cap < rule.award:
            message = f"the cap of {rule.cap} is below one award of {rule.award}"
            remedy = f"raise the cap to at least {rule.award} or lower earn.points"
            yield error((*path, "cap", "points"), "cap_below_award", message, remedy)


def windows_are_not_past(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        yield from unusable_window(programme, (*path, "when", "dates"), rule.dates)
        if rule.hours is not None and rule.hours[0] == rule.hours[1]:
            remedy = "write two different times; leave hours out for the whole day"
            yield error((*path, "when", "hours"), "hours_empty", "begin and end are the same time", remedy)


def pending_ends_before_expiry(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        expiry = _expiry(programme, rule)
        if rule.pending is None or rule.valid_from_activation or expiry is None or expiry.after is None:
            continue
        late = _days_on_which_pending_outlives(rule, expiry)
        if late == _SAMPLE_DAYS:
            message = "what is earned expires before it can be spent"
            remedy = "shorten pending, lengthen the expiry, or set pending.validity_from: activation"
            yield error((*path, "pending"), "never_usable", message, remedy)
        elif late:
            message = f"what is earned on {late} days of a year expires before it can be spent"
            yield warning((*path, "pending"), "sometimes_unusable", message, "shorten pending or lengthen the expiry")


def activities_are_no_baskets(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        if rule.activity is None:
            continue
        if rule.activity == GIFT_ACTIVITY:
            message = "what campaigns give is not for rules: this one would never apply"
            remedy = "say what is given in the campaign's gift, or name another activity"
            yield error((*path, "when", "activity"), "reserved_activity", message, remedy)
        if rule.basis in ("amount", "item"):
            message = "an activity has no amount and no items to count"
            remedy = "leave earn.per and earn.by out: the points are then fixed"
            yield error((*path, "earn"), "activity_without_basket", message, remedy)
        for name in rule.basket_conditions:
            message = f"an activity has no {name}: the rule would never apply"
            yield error((*path, "when", name), "never_met", message, f"remove {name} or activity")


def groups_have_rivals(programme: Programme) -> Iterator[Finding]:
    members = Counter(rule.group for rule in programme.rules if rule.group is not None)
    for path, rule in _rules(programme):
        if rule.group is not None and members[rule.group] == 1:
            message = f"the rule is alone in the group {rule.group!r}, so there is no best to choose"
            yield warning((*path, "stack", "best_of"), "group_of_one", message, "add a second rule or use stack: add")


def categories_are_not_excluded(programme: Programme) -> Iterator[Finding]:
    for path, rule in _rules(programme):
        lost = [name for name in rule.categories if any(_is_below(name, out) for out in programme.excluded)]
        if rule.categories and len(lost) == len(rule.categories):
            message = f"every category of the rule is excluded from earning: {', '.join(lost)}"
            remedy = "take it out of earning.exclude.categories or remove the rule"
            yield error((*path, "when", "category"), "never_met", message, remedy)
        elif lost:
            message = f"excluded from earning: {', '.join(lost)}"
            yield warning((*path, "when", "category"), "category_excluded", message, "remove it from the rule")


def _rules(programme: Programme) -> Iterator[tuple[Path, Rule]]:
    for index, rule in enumerate(programme.rules):
        yield ("earning", "rules", index), rule


def _expiry(programme: Programme, rule: Rule) -> Expiry | None:
    unit = programme.units.get(rule.unit)
    return rule.expiry or (unit.expiry if unit is not None else None)


def _days_on_which_pending_outlives(rule: Rule, expiry: Expiry) -> int:
    if rule.pending is None or expiry.after is None:
        return 0
    days = [_FIRST_SAMPLE + timedelta(days=n) for n in range(_SAMPLE_DAYS)]
    return sum(after(day, rule.pending) >= rounded(after(day, expiry.after), expiry.round) for day in days)


def _is_below(category: str, excluded: str) -> bool:
    return category == excluded or category.startswith(excluded + "/")
