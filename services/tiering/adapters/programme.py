"""The programme as tiering reads it: published documents as rules, each version read once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.programme import ProgrammeDocument, ProgrammePublished, Tiers
from services.runtime.documents import Document, KnownDocuments, known_documents
from services.runtime.errors import NotReady
from services.tiering.domain.rules import Level, Rules

_LENGTH = TypeAdapter(timedelta)


@dataclass(frozen=True, slots=True)
class KnownRules:
    """One for a process; a published version never changes."""

    _rules: dict[int, Rules] = field(default_factory=dict)

    def of(self, known: KnownDocuments) -> tuple[Rules, ...]:
        return tuple(self._of(document) for document in known.versions)

    def _of(self, document: Document) -> Rules:
        rules = self._rules.get(document.version)
        if rules is None or rules.starts_at != document.starts_at:
            published = document.read(ProgrammePublished.model_validate_json)
            rules = self._rules[document.version] = rules_of(published.document, document.starts_at)
        return rules


@dataclass(frozen=True, slots=True)
class ProgrammeTable:
    """Meets the application's `Programme` inside the transaction of its connection."""

    connection: AsyncConnection
    rules: KnownRules

    async def ready_versions(self, now: datetime) -> Sequence[Rules]:
        known = await known_documents(self.connection)
        if not known.versions:
            raise NotReady("no programme is known yet: publish one with `loyalty programme publish FILE`")
        if not known.ready_at(now):
            raise NotReady("the end of topic `programme` was not confirmed lately: is its consumer running?")
        return self.rules.of(known)

    async def known_versions(self) -> Sequence[Rules]:
        return self.rules.of(await known_documents(self.connection))


def rules_of(document: ProgrammeDocument, starts_at: datetime) -> Rules:
    zone = ZoneInfo(document.time_zone)
    qualifying = frozenset(unit_id for unit_id, unit in document.units.items() if unit.kind == "qualifying")
    tiers = document.tiers
    if tiers is None:
        return Rules(document.version, starts_at, zone, qualifying=qualifying)
    return Rules(
        version=document.version,
        starts_at=starts_at,
        zone=zone,
        unit=tiers.metric.unit,
        window=tiers.metric.window,
        valid=tiers.valid,
        benefits_start=tiers.benefits_start,
        levels=_levels(tiers),
        qualifying=qualifying,
        downgrade=tiers.downgrade,
        evaluate_after=_LENGTH.validate_python(tiers.evaluate_after),
    )


def _levels(tiers: Tiers) -> tuple[Level, ...]:
    return tuple(
        Level(
            id=level.id,
            reach=level.reach,
            keep=level.keep if level.keep is not None else level.reach,
            names={language: name for language, name in level.name.items()},
            benefits=level.benefits,
        )
        for level in tiers.levels
    )
