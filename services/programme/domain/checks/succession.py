"""A version beside the one that it replaces."""

from collections.abc import Iterator

from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, error, warning


def findings_after(programme: Programme, previous: Programme | None) -> Iterator[Finding]:
    """`previous` None: nothing is published yet."""
    yield from _number(programme, previous)
    if previous is None:
        return
    yield from _effective_date(programme, previous)
    yield from _units(programme, previous)
    yield from _levels(programme, previous)
    if programme.currency != previous.currency:
        message = f"the currency was {previous.currency}; what members have earned so far keeps its meaning in it"
        remedy = "a second currency wants a second deployment"
        yield error(("currency",), "currency_changed", message, remedy)
    if programme.time_zone != previous.time_zone:
        message = f"the zone was {previous.time_zone}: days, months and expiry of later sales go by another calendar"
        yield warning(("time_zone",), "time_zone_changed", message, "be sure that this is meant")


def _number(programme: Programme, previous: Programme | None) -> Iterator[Finding]:
    expected = 1 if previous is None else previous.version + 1
    if programme.version != expected:
        before = "no version is published yet" if previous is None else f"version {previous.version} is the newest"
        message = f"the version is {programme.version}, but {before}"
        yield error(("version",), "version_not_next", message, f"set version: {expected}")


def _effective_date(programme: Programme, previous: Programme) -> Iterator[Finding]:
    if programme.effective_from < previous.effective_from:
        message = f"it would take effect before version {previous.version}, at {previous.effective_from.isoformat()}"
        remedy = "versions take effect in the order of their numbers: move effective_from to that instant or later"
        yield error(("effective_from",), "effective_before_previous", message, remedy)


def _units(programme: Programme, previous: Programme) -> Iterator[Finding]:
    # Balances outlive versions: what a unit counts can be left alone or retired, never reinterpreted.
    for name, before in previous.units.items():
        unit = programme.units.get(name)
        if unit is None:
            message = f"members may still hold {name!r}, which version {previous.version} declares"
            yield error(("units",), "unit_removed", message, f"keep {name!r}; a unit without rules earns nothing more")
        elif unit.decimals != before.decimals or unit.spendable != before.spendable:
            message = f"kind and decimals of {name!r} give the points already earned their meaning"
            remedy = "leave both as they were and declare a new unit"
            yield error(("units", name), "unit_redefined", message, remedy)


def _levels(programme: Programme, previous: Programme) -> Iterator[Finding]:
    kept = [level.id for level in programme.levels]
    before = [level.id for level in previous.levels]
    for name in before:
        if name not in kept:
            message = f"members may hold the tier {name!r}, and without it nobody can say where they stand"
            remedy = "keep the level; to retire it, set a reach that nobody comes to"
            yield error(("tiers", "levels"), "level_removed", message, remedy)
    if [name for name in kept if name in before] != [name for name in before if name in kept]:
        message = f"the levels were in the order {', '.join(before)}"
        remedy = "keep that order: what was above another tier stays above it"
        yield error(("tiers", "levels"), "levels_reordered", message, remedy)
