"""Currency and units."""

from collections.abc import Iterator

from services.programme.domain.currencies import CURRENCIES
from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, error, warning


def currency_is_known(programme: Programme) -> Iterator[Finding]:
    if programme.currency not in CURRENCIES:
        message = f"{programme.currency} is no currency of ISO 4217"
        yield error(("currency",), "unknown_currency", message, "write its three letters, for example CNY")


def expiry_leaves_time(programme: Programme) -> Iterator[Finding]:
    places = [(("units", name, "expires"), unit.expiry) for name, unit in programme.units.items()]
    rules = [(("earning", "rules", i, "expires"), rule.expiry) for i, rule in enumerate(programme.rules)]
    for path, expiry in (*places, *rules):
        if expiry is None:
            continue
        if expiry.after is None and expiry.round != "none":
            remedy = "add after, for example P12M, or leave expires out"
            yield error(path, "expiry_without_after", "a rounding alone says no expiry", remedy)
        # P0D with a rounding is fine: it ends with the day, the month or the year of earning.
        elif expiry.after is not None and expiry.after.is_nothing and expiry.round == "none":
            remedy = "give after a length, for example P12M; points that never expire have no expires"
            yield error((*path, "after"), "expires_at_once", "what is earned would be past in the same moment", remedy)


def restored_points_last(programme: Programme) -> Iterator[Finding]:
    for name, unit in programme.units.items():
        path = ("units", name, "restored_points")
        if unit.restored_for is None:
            continue
        if unit.restored_for.is_nothing:
            remedy = "give at_least a length, for example P30D, or leave restored_points out"
            yield error((*path, "at_least"), "restored_for_no_time", "this promises nothing", remedy)
        elif unit.expiry.after is None:
            message = "points of this unit never expire unless a rule says so: there is nothing to prolong"
            yield warning(path, "restored_points_never_expire", message, "leave restored_points out")


def qualifying_units_do_not_expire(programme: Programme) -> Iterator[Finding]:
    for name, unit in programme.units.items():
        if not unit.spendable and unit.expiry.after is not None:
            message = "a qualifying unit is counted by the tiers' window; its expiry has no effect on standing"
            yield warning(("units", name, "expires"), "qualifying_unit_expires", message, "leave expires out")
