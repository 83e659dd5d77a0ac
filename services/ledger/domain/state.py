"""An account: the fold of one member's facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from services.ledger.domain.ids import MemberId
from services.ledger.domain.lots import Lot

LIMITED_REWARDS_COUNTED = 64


class Balance(NamedTuple):
    """All buckets of one unit, in its smallest step; the order of the fields is `Bucket.position`."""

    issued: int = 0
    received: int = 0
    debt: int = 0
    pending: int = 0
    available: int = 0
    held: int = 0
    spent: int = 0
    expired: int = 0
    reversed: int = 0
    sent: int = 0

    def buckets(self) -> list[int]:
        return [
            self.issued, self.received, self.debt, self.pending, self.available,
            self.held, self.spent, self.expired, self.reversed, self.sent,
        ]  # fmt: skip


class TierStep(NamedTuple):
    """From this instant on the member has this tier (None = no tier); `seq` is the number of the change."""

    effective_from: datetime
    tier: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """Everything a decision reads about a member.

    `lots` by lot id, only those with something left; `caps` by rule and period: points given; `carries` by
    `rule/unit`; `tiers` by (effective_from, seq); `visits` counts purchases; `rewards` how many of each limited
    reward the member has had, for the first 64 of them.
    """

    member_id: MemberId
    member_seq: int = 0
    last_recorded_at: datetime | None = None
    status: str = "active"
    status_version: int = 0
    units: Mapping[str, Balance] = field(default_factory=dict)
    lots: Mapping[str, Lot] = field(default_factory=dict)
    caps: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    carries: Mapping[str, Fraction] = field(default_factory=dict)
    tiers: tuple[TierStep, ...] = ()
    tier_seq: int = 0
    visits: int = 0
    rewards: Mapping[str, int] = field(default_factory=dict)

    def debt(self, unit: str) -> int:
        balance = self.units.get(unit)
        return balance.debt if balance is not None else 0

    def tier_at(self, at: datetime) -> str | None:
        """The change with the greatest `effective_from` ≤ `at`; of equals the one with the highest number."""
        for step in reversed(self.tiers):
            if step.effective_from <= at:
                return step.tier
        return None

    def taken(self, reward: str) -> int | None:
        """How many of a limited reward the member has had; None where the account is full of others."""
        if reward in self.rewards or len(self.rewards) < LIMITED_REWARDS_COUNTED:
            return self.rewards.get(reward, 0)
        return None


def carry_key(rule: str, unit: str) -> str:
    """Under what the remainder of a rule is kept; a rule that changes its unit starts from nothing."""
    return f"{rule}/{unit}"


def new_account(member_id: MemberId) -> AccountState:
    return AccountState(member_id)
