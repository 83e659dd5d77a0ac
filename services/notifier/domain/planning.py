"""From an occasion to the messages about it: a function of the occasion, the campaigns and the time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo

from services.notifier.domain.birthdays import LeapDay
from services.notifier.domain.durations import Duration
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import (
    Channel,
    Intent,
    MemberId,
    Message,
    Occasion,
    Purpose,
    Step,
    TierReached,
)

CHANNELS_SERVED: frozenset[Channel] = frozenset({"email"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What every campaign says; `gives` where a gift goes with it."""

    id: str
    channels: tuple[Channel, ...]
    template: str
    purpose: Purpose
    tolerance: Duration
    gives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCampaign(Campaign):
    """A campaign on reaching a tier."""

    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthdayCampaign(Campaign):
    """A campaign at an hour of the member's own day, so many days before the birthday."""

    days_before: int
    at: time
    leap_day: LeapDay


@dataclass(frozen=True, slots=True)
class Rules:
    """What one version of the programme says about messages; `levels` ascend, the base tier is below the first."""

    version: int
    levels: tuple[str, ...]
    campaigns: tuple[TierCampaign, ...]
    birthdays: tuple[BirthdayCampaign, ...] = ()
    zone: tzinfo = UTC

    def rank(self, tier: str | None) -> int:
        """-1 for the base tier and for a tier that this version no longer has."""
        return self.levels.index(tier) if tier in self.levels else -1

    def birthday_campaign(self, campaign_id: str) -> BirthdayCampaign | None:
        return next((campaign for campaign in self.birthdays if campaign.id == campaign_id), None)


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change of standing as tiering published it, with its place in the member's chain; `restores` a tier that the
    end of a period had taken, or is that end (`ends_period`)."""

    member_id: MemberId
    member_seq: int
    hash: bytes
    from_tier: str | None
    to_tier: str | None
    effective_from: datetime
    recorded_at: datetime
    valid_until: datetime | None
    retroactive: bool
    restores: bool = False
    ends_period: bool = False

    @property
    def occurrence(self) -> str:
        return f"{self.member_id}/{self.member_seq}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A new message with its first step; `gift` is the occasion's, the same with each of its messages."""

    message: Message
    step: Step
    gift: Gift | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Something that a campaign tells a member of, once; `begins_at` is when its tolerance begins."""

    member_id: MemberId
    campaign: Campaign
    version: int
    occurrence: str
    occasion: Occasion
    occurred_at: datetime
    due_at: datetime
    begins_at: datetime


def plan(change: TierChange, rules: Rules, *, now: datetime) -> tuple[Planned, ...]:
    """One message per campaign and channel; a change downwards, sideways, back or in the past is nobody's news."""
    if change.to_tier is None or change.retroactive or change.restores:
        return ()
    if rules.rank(change.to_tier) <= rules.rank(change.from_tier):
        return ()
    occasion = TierReached(change.to_tier, change.effective_from, change.valid_until)
    return tuple(
        planned
        for campaign in _on(change.to_tier, rules.campaigns)
        for planned in announced(
            Announcement(
                member_id=change.member_id,
                campaign=campaign,
                version=rules.version,
                occurrence=change.occurrence,
                occasion=occasion,
                occurred_at=change.recorded_at,
                due_at=now,
                begins_at=change.effective_from,
            ),
            now=now,
        )
    )


def announced(news: Announcement, *, now: datetime) -> Iterator[Planned]:
    """One message for each channel of the campaign."""
    campaign = news.campaign
    gift = Gift(news.member_id, campaign.id, news.occurrence, news.occurred_at) if campaign.gives else None
    for channel in dict.fromkeys(campaign.channels):
        message = Message(
            intent=Intent(news.member_id, campaign.id, news.occurrence, channel),
            template=campaign.template,
            purpose=campaign.purpose,
            programme_version=news.version,
            occasion=news.occasion,
            due_at=news.due_at,
            expires_at=campaign.tolerance.after(news.begins_at),
        )
        yield Planned(message, _first_step(message, now), gift)


def _on(tier: str, campaigns: Sequence[TierCampaign]) -> Iterator[TierCampaign]:
    return (campaign for campaign in campaigns if campaign.tier == tier)


def _first_step(message: Message, now: datetime) -> Step:
    if now >= message.expires_at:
        return Step("missed", "too_old")
    if message.intent.channel not in CHANNELS_SERVED:
        return Step("suppressed", "channel_not_served")
    return Step("planned")
