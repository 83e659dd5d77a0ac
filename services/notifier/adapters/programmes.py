"""Versions of the programme as the notifier reads them."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.programme import BirthdayOccasion, Campaign, ProgrammeDocument, ProgrammePublished
from services.notifier.domain.celebrations import Reign
from services.notifier.domain.durations import Duration
from services.notifier.domain.planning import BirthdayCampaign, Rules, TierCampaign
from services.runtime.documents import KnownDocuments, known_documents
from services.runtime.errors import NotReady
from services.runtime.own_records import read_own


@dataclass(frozen=True, slots=True)
class Programmes:
    """Parses each version once per process: a published version never changes."""

    _documents: dict[int, ProgrammeDocument] = field(default_factory=dict)
    _rules: dict[int, Rules] = field(default_factory=dict)

    async def in_force(
        self, connection: AsyncConnection, instants: Collection[datetime], *, now: datetime
    ) -> dict[datetime, Rules | None]:
        """None before the first version; NotReady while the newest known one may be out of date."""
        known = await _confirmed(connection, now)
        answers: dict[datetime, Rules | None] = {}
        for instant in instants:
            document = known.in_force(instant)
            answers[instant] = await self.rules(connection, document.version) if document else None
        return answers

    async def reigns(self, connection: AsyncConnection) -> tuple[Reign, ...]:
        """All versions known, in the order in which they are in force; those that never are, are left out."""
        return await self._reigns(connection, await known_documents(connection))

    async def reigns_confirmed(self, connection: AsyncConnection, *, now: datetime) -> tuple[Reign, ...]:
        """NotReady while the newest known version may be out of date."""
        return await self._reigns(connection, await _confirmed(connection, now))

    async def rules(self, connection: AsyncConnection, version: int) -> Rules:
        if version not in self._rules:
            self._rules[version] = rules_of(await self.document(connection, version))
        return self._rules[version]

    async def document(self, connection: AsyncConnection, version: int) -> ProgrammeDocument:
        if version not in self._documents:
            body = await connection.scalar(_BODY, {"version": version})
            if body is None:
                raise NotReady(f"version {version} of the programme is not here yet")
            read = ProgrammePublished.model_validate_json
            self._documents[version] = read_own(read, body, f"version {version}").document
        return self._documents[version]

    async def _reigns(self, connection: AsyncConnection, known: KnownDocuments) -> tuple[Reign, ...]:
        reigns: list[Reign] = []
        ends_at: datetime | None = None
        for document in reversed(known.versions):
            if ends_at is None or document.starts_at < ends_at:
                reigns.append(Reign(await self.rules(connection, document.version), document.starts_at, ends_at))
                ends_at = document.starts_at
        return tuple(reversed(reigns))


async def _confirmed(connection: AsyncConnection, now: datetime) -> KnownDocuments:
    known = await known_documents(connection)
    if not known.ready_at(now):
        raise NotReady("the programme is not known up to now")
    return known


_BODY = text("SELECT body FROM document_version WHERE version = :version")


def rules_of(document: ProgrammeDocument) -> Rules:
    levels = document.tiers.levels if document.tiers else ()
    return Rules(
        version=document.version,
        levels=tuple(level.id for level in levels),
        campaigns=tuple(
            _tier_campaign(campaign, campaign.on.tier)
            for campaign in document.campaigns
            if campaign.on.tier is not None
        ),
        birthdays=tuple(
            _birthday_campaign(campaign, campaign.on.birthday)
            for campaign in document.campaigns
            if campaign.on.birthday is not None
        ),
        zone=ZoneInfo(document.time_zone),
    )


def _tier_campaign(campaign: Campaign, tier: str) -> TierCampaign:
    return TierCampaign(
        id=campaign.id,
        tier=tier,
        channels=campaign.channels,
        template=campaign.template,
        purpose=campaign.purpose,
        tolerance=duration_of(campaign.tolerance),
        gives=campaign.gift is not None,
    )


def _birthday_campaign(campaign: Campaign, birthday: BirthdayOccasion) -> BirthdayCampaign:
    return BirthdayCampaign(
        id=campaign.id,
        days_before=birthday.days_before,
        at=birthday.at,
        leap_day=birthday.leap_day,
        channels=campaign.channels,
        template=campaign.template,
        purpose=campaign.purpose,
        tolerance=duration_of(campaign.tolerance),
        gives=campaign.gift is not None,
    )


_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


def duration_of(text: str) -> Duration:
    """An ISO 8601 duration that the contract has let through."""
    match = _DURATION.fullmatch(text)
    assert match is not None, text
    parts = {name: int(value or 0) for name, value in match.groupdict().items()}
    months = 12 * parts.pop("years") + parts.pop("months")
    return Duration(months, timedelta(**parts))
