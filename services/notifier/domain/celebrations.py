"""Which birthdays are celebrated when: a function of the member and of the versions of the programme."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo

from services.notifier.domain.birthdays import Birthday, first_instant
from services.notifier.domain.messages import BirthdayComes, MemberId
from services.notifier.domain.planning import Announcement, BirthdayCampaign, Rules

GONE = frozenset({"closed", "erased"})
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Celebrant:
    """A member with the birthday that they have told us; `since` is when they had, `zone` None where none is known."""

    member_id: MemberId
    status: str
    zone: tzinfo | None
    birthday: Birthday | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Reign:
    """A version of the programme and when it is in force: [starts_at, ends_at), None = until further notice."""

    rules: Rules
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Celebration:
    """A campaign on a member's birthday of one year; celebrated on `day`, spoken of at `due_at`."""

    member_id: MemberId
    campaign: BirthdayCampaign
    version: int
    year: int
    day: date
    due_at: datetime

    @property
    def occurrence(self) -> str:
        return str(self.year)

    def announcement(self) -> Announcement:
        return Announcement(
            member_id=self.member_id,
            campaign=self.campaign,
            version=self.version,
            occurrence=self.occurrence,
            occasion=BirthdayComes(self.day),
            occurred_at=self.due_at,
            due_at=self.due_at,
            begins_at=self.due_at,
        )


def celebrations(
    celebrant: Celebrant, reigns: Sequence[Reign], first_day: date, last_day: date
) -> Iterator[Celebration]:
    """Every campaign that speaks to this member of a birthday celebrated on one of these days."""
    campaigns = dict.fromkeys(campaign.id for reign in reigns for campaign in reign.rules.birthdays)
    for year in range(first_day.year, last_day.year + 1):
        for campaign in campaigns:
            found = celebration(celebrant, reigns, campaign, year)
            if found is not None and first_day <= found.day <= last_day:
                yield found


def celebration(celebrant: Celebrant, reigns: Sequence[Reign], campaign_id: str, year: int) -> Celebration | None:
    """What the campaign makes of the birthday of that year, by the version in force at the instant that it names.

    None where there is nothing to celebrate, or where no version had the campaign when its hour came.
    """
    still_ahead = False
    for reign in reigns:
        found = _under(reign.rules, celebrant, campaign_id, year)
        if found is None or (found.due_at < reign.starts_at and not still_ahead):
            still_ahead = False
            continue
        # A version that moves the hour to before its own beginning must not make the occasion fall out.
        found = replace(found, due_at=max(found.due_at, reign.starts_at))
        if reign.ends_at is None or found.due_at < reign.ends_at:
            return found
        still_ahead = True
    return None


def _under(rules: Rules, celebrant: Celebrant, campaign_id: str, year: int) -> Celebration | None:
    campaign = rules.birthday_campaign(campaign_id)
    if campaign is None or celebrant.birthday is None or celebrant.status in GONE:
        return None
    day, zone = celebrant.birthday.celebrated_in(year, campaign.leap_day), celebrant.zone or rules.zone
    due_at = first_instant(day - timedelta(days=campaign.days_before), campaign.at, zone)
    if celebrant.since > due_at:
        # Who tells us late is celebrated at once, as long as the day lasts.
        if celebrant.since >= first_instant(day + ONE_DAY, time(), zone):
            return None
        due_at = celebrant.since
    return Celebration(celebrant.member_id, campaign, rules.version, year, day, due_at)
