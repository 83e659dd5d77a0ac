"""A programme of tiers and members who qualify, for tests of standing."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from services.tiering.domain.changes import MemberStanding, qualify
from services.tiering.domain.facts import Qualified, TierChanged
from services.tiering.domain.rules import BenefitsStart, Downgrade, Level, Rules, Validity

SHANGHAI = ZoneInfo("Asia/Shanghai")
MEMBER = "0191f3a0-0000-7000-8000-000000000001"
SILVER = Level("silver", 1000, 1000, {"zh": "银卡", "en": "Silver"})
GOLD = Level("gold", 5000, 4000, {"zh": "金卡", "en": "Gold"})


def rules(
    version: int = 1,
    *,
    starts_at: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    window: str = "calendar_year",
    valid: Validity = "end_of_next_period",
    benefits_start: BenefitsStart = "next_day",
    levels: tuple[Level, ...] = (SILVER, GOLD),
    downgrade: Downgrade = "one_step",
    zone: tzinfo = SHANGHAI,
) -> Rules:
    qualifying = frozenset({"growth", "miles"})
    return Rules(version, starts_at, zone, "growth", window, valid, benefits_start, levels, qualifying, downgrade)


def at(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    """The clock on the wall in Shanghai."""
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def growth(occurred_at: datetime, points: int, number: int = 0) -> Qualified:
    return Qualified(f"00000000-0000-4000-8000-{number:012d}", occurred_at, {"growth": points})


def arrived(
    facts: Iterable[Qualified],
    versions: Sequence[Rules] = (rules(),),
    *,
    now: datetime | None = None,
    state: MemberStanding | None = None,
) -> tuple[MemberStanding, list[TierChanged]]:
    """Facts one after another, each heard of when it happens unless `now` is given."""
    state = state or MemberStanding(MEMBER)
    changes: list[TierChanged] = []
    for fact in facts:
        state, brought = qualify(state, fact, versions, now or fact.occurred_at)
        changes += brought
    return state, changes
