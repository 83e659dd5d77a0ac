"""The programme as the ledger reads it: published documents compiled into rules, each version once."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import programme as published
from services.ledger.domain.expiry import Validity, parse_duration
from services.ledger.domain.rewards import MoneyRate, Reward
from services.ledger.domain.rules import Basis, Cap, Earn, Pending, Rule, Rules, Unit, When
from services.runtime.documents import Document, known_documents, known_starts
from services.runtime.errors import NotReady
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import UnitOfWork

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Programme:
    """Compiled versions, read anew in every transaction and compiled only when they are new."""

    def __init__(self, clock: Clock, good_for: timedelta) -> None:
        self._clock = clock
        self._good_for = good_for
        self._compiled: dict[int, Rules] = {}

    async def known(self, connection: AsyncConnection) -> tuple[Rules, ...]:
        """All versions known, however long ago that was confirmed: a till does not wait."""
        raw = await connection.get_raw_connection()
        starts = await known_starts(raw.driver_connection)
        compiled = [self._compiled.get(version) for version, _ in starts]
        known = tuple([rules for rules in compiled if rules is not None])
        if [(rules.version, rules.starts_at) for rules in known] == starts:
            return known
        return tuple(self._rules(document) for document in (await known_documents(connection)).versions)

    async def versions(self, uow: UnitOfWork) -> tuple[Rules, ...]:
        """All versions known; NotReady when there is none, or nobody has confirmed lately that there is no newer."""
        known = await known_documents(uow.connection)
        if not known.versions:
            raise NotReady("no programme is known yet: publish one with `loyalty programme publish FILE`")
        if not known.ready_at(self._clock(), self._good_for):
            raise NotReady("the end of topic `programme` was not confirmed lately: is its consumer running?")
        return tuple(self._rules(document) for document in known.versions)

    def _rules(self, document: Document) -> Rules:
        rules = self._compiled.get(document.version)
        if rules is None or rules.starts_at != document.starts_at:
            event = document.read(published.ProgrammePublished.model_validate_json)
            rules = self._compiled[document.version] = compile_rules(event.document, document.starts_at)
        return rules


def compile_rules(document: published.ProgrammeDocument, starts_at: datetime) -> Rules:
    """The earning rules of one version; `starts_at` is when it takes effect, which may be after `effective_from`."""
    return Rules(
        version=document.version,
        starts_at=starts_at,
        zone=ZoneInfo(document.time_zone),
        currency=document.currency,
        units={unit_id: _unit(unit_id, unit) for unit_id, unit in document.units.items()},
        rules=tuple(_rule(rule) for rule in document.earning.rules),
        excluded_categories=document.earning.exclude.categories,
        tax_counts=document.earning.tax_counts,
        gifts={campaign.id: _gift(campaign.id, campaign.gift) for campaign in document.campaigns if campaign.gift},
        rewards={reward.id: _reward(reward) for reward in document.rewards},
    )


def _unit(unit_id: str, unit: published.Unit) -> Unit:
    return Unit(
        id=unit_id,
        validity=_validity(unit.expires),
        qualifying=unit.kind == "qualifying",
        on_clawback=unit.on_clawback,
        restored_for=parse_duration(unit.restored_points.at_least) if unit.restored_points else None,
    )


def _validity(expires: published.Expires) -> Validity:
    return Validity(after=parse_duration(expires.after) if expires.after else None, round=expires.round)


def _rule(rule: published.Rule) -> Rule:
    return Rule(
        id=rule.id,
        earn=_earn(rule.earn),
        when=_when(rule.when),
        tier_factor={tier: Fraction(factor) for tier, factor in rule.tier_factor.items()},
        cap=Cap(rule.cap.points, rule.cap.per) if rule.cap else None,
        pending=_pending(rule.pending),
        expires=_validity(rule.expires) if rule.expires else None,
        best_of=rule.stack.best_of if isinstance(rule.stack, published.BestOf) else None,
    )


def _gift(campaign: str, gift: published.Gift) -> Rule:
    return Rule(id=f"{published.GIFT_RULE}{campaign}", earn=Earn(unit=gift.unit, points=Fraction(gift.points)))


def _earn(earn: published.Earn) -> Earn:
    return Earn(
        unit=earn.unit,
        points=Fraction(earn.points),
        basis=Basis(earn.basis),
        per=earn.per or 1,
        rounding=earn.rounding,
        scope=earn.scope,
        carry=earn.carry,
    )


def _when(when: published.When) -> When:
    return When(
        channels=_any_of(when.channel),
        stores=_any_of(when.store),
        partners=_any_of(when.partner),
        tiers=_any_of(when.tier),
        categories=tuple(_listed(when.category)) if when.category is not None else None,
        skus=_any_of(when.sku),
        tenders=_any_of(when.tender),
        weekdays=frozenset(WEEKDAYS.index(day) for day in when.weekdays) if when.weekdays is not None else None,
        hours=when.hours,
        dates=when.dates,
        minimum_minor=when.minimum_minor,
        activity=when.activity,
    )


def _pending(pending: published.Pending | str | None) -> Pending | None:
    match pending:
        case None:
            return None
        case str():
            return Pending(after=parse_duration(pending))
        case published.Pending():
            return Pending(after=parse_duration(pending.after), validity_from=pending.validity_from)


def _reward(reward: published.Reward) -> Reward:
    return Reward(
        id=reward.id,
        price=reward.price,
        rate=_rate(reward.as_money) if reward.as_money else None,
        stock=reward.stock,
        per_member=reward.per_member,
        tiers=_any_of(reward.tiers),
        dates=reward.dates,
        name={language: text for language, text in (reward.name or {}).items()},
    )


def _rate(rate: published.AsMoney) -> MoneyRate:
    return MoneyRate(rate.unit, rate.points, rate.minor, rate.minimum, rate.step, Fraction(rate.max_share))


def _any_of(value: str | Iterable[str] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(_listed(value))


def _listed(value: str | Iterable[str]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value
