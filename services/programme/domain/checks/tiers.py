"""Tiers: their metric and the order of their levels."""

from collections.abc import Iterator
from itertools import pairwise

from services.programme.domain.checks.references import undeclared_unit
from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, error, warning

_METRIC = ("tiers", "metric", "unit")
EVALUATE_AFTER_MAX_SECONDS = 28 * 86_400


def the_metric_is_a_qualifying_unit(programme: Programme) -> Iterator[Finding]:
    name = programme.metric_unit
    if name is None:
        return
    yield from undeclared_unit(programme, _METRIC, name)
    if name in programme.units and programme.units[name].spendable:
        message = f"{name!r} can be spent, and buying a reward must not cost a tier"
        remedy = "measure a unit with kind: qualifying, earned by rules of its own"
        yield error(_METRIC, "metric_spendable", message, remedy)


def the_window_is_measured(programme: Programme) -> Iterator[Finding]:
    if programme.metric_window == "membership_year":
        message = "standing is not measured by years of membership yet"
        remedy = "use calendar_year, calendar_quarter, calendar_month or lifetime"
        yield error(("tiers", "metric", "window"), "window_not_measured", message, remedy)


def ends_are_judged_before_the_next(programme: Programme) -> Iterator[Finding]:
    waits = programme.evaluate_after
    if waits is not None and (waits.months or waits.seconds > EVALUATE_AFTER_MAX_SECONDS):
        message = f"the end of a period would be judged {waits.text} after it, when the next may have come"
        remedy = "give stores some hours to send what is late, P28D at most and no months: evaluate_after: PT6H"
        yield error(("tiers", "evaluate_after"), "evaluated_too_late", message, remedy)


def the_metric_is_earned(programme: Programme) -> Iterator[Finding]:
    name = programme.metric_unit
    if name in programme.units and all(rule.unit != name for rule in programme.rules):
        message = f"no rule earns {name!r}, so nobody would ever reach a tier"
        yield warning(_METRIC, "metric_never_earned", message, f"add a rule with earn.unit: {name}")


def levels_ascend(programme: Programme) -> Iterator[Finding]:
    for index, (below, level) in enumerate(pairwise(programme.levels), start=1):
        if level.reach <= below.reach:
            message = f"{level.id!r} is reached at {level.reach}, not above {below.id!r} at {below.reach}"
            remedy = "order levels from the lowest to the highest, each with a greater reach"
            yield error(("tiers", "levels", index, "reach"), "levels_not_ascending", message, remedy)


def keeping_needs_no_more_than_reaching(programme: Programme) -> Iterator[Finding]:
    for index, level in enumerate(programme.levels):
        if level.keep is not None and level.keep > level.reach:
            message = f"keeping {level.id!r} would need {level.keep}, more than the {level.reach} of reaching it"
            remedy = f"lower keep to at most {level.reach} or leave it out"
            yield error(("tiers", "levels", index, "keep"), "keep_above_reach", message, remedy)
