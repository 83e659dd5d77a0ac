"""From an occasion to the messages about it: a function of the occasion, the campaigns and the time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import Channel, Intent, MemberId, Message, Purpose, Step, TierReached

CHANNELS_SERVED: frozenset[Channel] = frozenset({"email"})


@dataclass(frozen=True, slots=True)
class TierCampaign:
    """A campaign on reaching a tier."""

    id: str
    tier: str
    channels: tuple[Channel, ...]
    template: str
    purpose: Purpose
    tolerance: Duration


@dataclass(frozen=True, slots=True)
class Rules:
    """What one version of the programme says about messages; `levels` ascend, the base tier is below the first."""

    version: int
    levels: tuple[str, ...]
    campaigns: tuple[TierCampaign, ...]

    def rank(self, tier: str | None) -> int:
        """-1 for the base tier and for a tier that this version no longer has."""
        return self.levels.index(tier) if tier in self.levels else -1


@dataclass(frozen=True, slots=True)
class TierChange:
    """A change of standing as tiering published it, with its place in the member's chain; `restores` a tier that the
    end of a period had taken."""

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

    @property
    def occurrence(self) -> str:
        return f"{self.member_id}/{self.member_seq}"


@dataclass(frozen=True, slots=True)
class Planned:
    """A new message with its first step."""

    message: Message
    step: Step


def plan(change: TierChange, rules: Rules, *, now: datetime) -> tuple[Planned, ...]:
    """One message per campaign and channel; a change downwards, sideways, back or in the past is nobody's news."""
    if change.to_tier is None or change.retroactive or change.restores:
        return ()
    if rules.rank(change.to_tier) <= rules.rank(change.from_tier):
        return ()
    return tuple(_planned(message, now) for message in _messages(change, rules, change.to_tier, now))


def _messages(change: TierChange, rules: Rules, tier: str, now: datetime) -> Iterator[Message]:
    occasion = TierReached(tier, change.effective_from, change.valid_until)
    for campaign in _on(tier, rules.campaigns):
        for channel in campaign.channels:
            yield Message(
                intent=Intent(change.member_id, campaign.id, change.occurrence, channel),
                template=campaign.template,
                purpose=campaign.purpose,
                programme_version=rules.version,
                occasion=occasion,
                due_at=now,
                expires_at=campaign.tolerance.after(change.effective_from),
            )


def _on(tier: str, campaigns: Sequence[TierCampaign]) -> Iterator[TierCampaign]:
    return (campaign for campaign in campaigns if campaign.tier == tier)


def _planned(message: Message, now: datetime) -> Planned:
    if now >= message.expires_at:
        return Planned(message, Step("missed", "too_old"))
    if message.intent.channel not in CHANNELS_SERVED:
        return Planned(message, Step("suppressed", "channel_not_served"))
    return Planned(message, Step("planned"))
