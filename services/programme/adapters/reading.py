"""From a programme file to the programme that the domain checks, by way of the contract."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from schemas.programme import GIFT_RULE, BestOf, Campaign, Expires, Pending, ProgrammeDocument, Reward, Rule, Unit
from services.programme.adapters.shapes import shape_findings
from services.programme.adapters.templates import template_findings
from services.programme.adapters.written import Written, read_written
from services.programme.application import Source
from services.programme.domain import document as domain
from services.programme.domain.durations import Duration, parse
from services.programme.domain.findings import Finding, Path, error

_BASKET_CONDITIONS = ("category", "sku", "tender", "minimum_minor")


@dataclass(frozen=True, slots=True)
class DocumentReading:
    """Meets the application's `Reading`."""

    written: Written
    findings: tuple[Finding, ...]
    document: ProgrammeDocument | None = None
    programme: domain.Programme | None = None

    def line_of(self, path: Path) -> int | None:
        return self.written.line_of(path)

    def canonical(self) -> bytes:
        if self.document is None:
            raise AssertionError("only a document of the right shape has canonical bytes")
        # With every default written out: a default that changes later must not change what was published.
        return self.document.model_dump_json().encode()


class DocumentReader:
    async def read(self, source: Source) -> DocumentReading:
        # A large file takes a second of the processor, which the event loop cannot spare.
        return await asyncio.to_thread(read_document, source)


def read_document(source: Source) -> DocumentReading:
    written = read_written(source.text, is_json=source.is_json)
    if written.findings:
        return DocumentReading(written, tuple(written.findings))
    if not isinstance(written.data, dict):
        found = error((), "not_a_mapping", "a programme is a mapping of names to values", "see the example")
        return DocumentReading(written, (found,))
    return _shaped(written)


def programme_of(document: ProgrammeDocument) -> domain.Programme:
    """Raises ValueError for a duration beyond a thousand years."""
    tiers = document.tiers
    return domain.Programme(
        version=document.version,
        effective_from=document.effective_from,
        starts_on=_local(document.effective_from, document.time_zone).date(),
        time_zone=document.time_zone,
        currency=document.currency,
        units={name: _unit(unit) for name, unit in document.units.items()},
        rules=tuple(map(_rule, document.earning.rules)),
        excluded=document.earning.exclude.categories,
        metric_unit=tiers.metric.unit if tiers else None,
        metric_window=tiers.metric.window if tiers else None,
        evaluate_after=parse(tiers.evaluate_after) if tiers else None,
        levels=tuple(domain.Level(each.id, each.reach, each.keep) for each in tiers.levels) if tiers else (),
        rewards=tuple(map(_reward, document.rewards)),
        campaigns=tuple(map(_campaign, document.campaigns)),
        templates={name: tuple(texts) for name, texts in document.templates.items()},
    )


def _shaped(written: Written) -> DocumentReading:
    try:
        document = ProgrammeDocument.model_validate(written.data)
    except ValidationError as fault:
        return DocumentReading(written, tuple(shape_findings(fault, written.data)))
    try:
        programme = programme_of(document)
    except ValueError as fault:
        found = error((), "duration_too_long", str(fault), "use a shorter duration; what never ends is left out")
        return DocumentReading(written, (found,))
    return DocumentReading(written, tuple(template_findings(document)), document, programme)


def _local(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone))


def _unit(unit: Unit) -> domain.Unit:
    restored = unit.restored_points
    return domain.Unit(
        spendable=unit.kind == "spendable",
        decimals=unit.decimals,
        expiry=_expiry(unit.expires),
        restored_for=parse(restored.at_least) if restored is not None else None,
    )


def _expiry(expires: Expires) -> domain.Expiry:
    return domain.Expiry(parse(expires.after) if expires.after is not None else None, expires.round)


def _rule(rule: Rule) -> domain.Rule:
    pending, from_activation = _pending(rule.pending)
    return domain.Rule(
        id=rule.id,
        unit=rule.earn.unit,
        award=rule.earn.points,
        basis=rule.earn.basis,
        cap=rule.cap.points if rule.cap else None,
        tier_factors=rule.tier_factor,
        tiers=_several(rule.when.tier),
        categories=_several(rule.when.category),
        activity=rule.when.activity,
        basket_conditions=tuple(name for name in _BASKET_CONDITIONS if getattr(rule.when, name) is not None),
        hours=rule.when.hours,
        dates=rule.when.dates,
        pending=pending,
        valid_from_activation=from_activation,
        expiry=_expiry(rule.expires) if rule.expires else None,
        group=rule.stack.best_of if isinstance(rule.stack, BestOf) else None,
    )


def _pending(pending: Pending | str | None) -> tuple[Duration | None, bool]:
    if isinstance(pending, Pending):
        return parse(pending.after), pending.validity_from == "activation"
    return (parse(pending) if pending is not None else None), False


def _reward(reward: Reward) -> domain.Reward:
    money = reward.as_money
    return domain.Reward(
        id=reward.id,
        prices=reward.price or {},
        money_unit=money.unit if money else None,
        minimum=money.minimum if money else 1,
        step=money.step if money else 1,
        tiers=reward.tiers or (),
        dates=reward.dates,
    )


def _campaign(campaign: Campaign) -> domain.Campaign:
    return domain.Campaign(
        id=campaign.id,
        template=campaign.template,
        tolerance=parse(campaign.tolerance),
        tier=campaign.on.tier,
        gift_unit=campaign.gift.unit if campaign.gift else None,
        gift_rule=f"{GIFT_RULE}{campaign.id}" if campaign.gift else None,
    )


def _several(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return given if isinstance(given, tuple) else (given,)
