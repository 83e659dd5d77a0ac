"""Rewards: what they cost, for whom and when."""

from collections.abc import Iterator

from services.programme.domain.checks.references import undeclared_tier, undeclared_unit
from services.programme.domain.checks.windows import unusable_window
from services.programme.domain.document import Programme
from services.programme.domain.findings import Finding, Path, error


def prices_are_in_spendable_units(programme: Programme) -> Iterator[Finding]:
    for index, reward in enumerate(programme.rewards):
        for unit in reward.prices:
            yield from _spendable(programme, ("rewards", index, "price", unit), unit)
        if reward.money_unit is not None:
            yield from _spendable(programme, ("rewards", index, "as_money", "unit"), reward.money_unit)


def rewards_are_open_to_declared_tiers(programme: Programme) -> Iterator[Finding]:
    for index, reward in enumerate(programme.rewards):
        for position, tier in enumerate(reward.tiers):
            yield from undeclared_tier(programme, ("rewards", index, "tiers", position), tier)


def rewards_are_not_past(programme: Programme) -> Iterator[Finding]:
    for index, reward in enumerate(programme.rewards):
        yield from unusable_window(programme, ("rewards", index, "dates"), reward.dates)


def the_minimum_is_a_step(programme: Programme) -> Iterator[Finding]:
    for index, reward in enumerate(programme.rewards):
        # Otherwise the least that a till offers would be refused as not a step.
        if reward.money_unit is not None and reward.minimum % reward.step:
            nearest = (reward.minimum // reward.step + 1) * reward.step
            message = f"the minimum of {reward.minimum} is no multiple of the step of {reward.step}"
            remedy = f"use {nearest}, the least that anyone could redeem"
            yield error(("rewards", index, "as_money", "minimum"), "minimum_not_a_step", message, remedy)


def _spendable(programme: Programme, path: Path, name: str) -> Iterator[Finding]:
    yield from undeclared_unit(programme, path, name)
    unit = programme.units.get(name)
    if unit is not None and not unit.spendable:
        message = f"{name!r} is a qualifying unit and cannot be spent"
        yield error(path, "unit_not_spendable", message, "price the reward in a spendable unit")
