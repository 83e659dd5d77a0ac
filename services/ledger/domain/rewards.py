"""What points can be spent on, by one version of the programme."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from services.ledger.domain.refusals import RewardNotAvailable


@dataclass(frozen=True, slots=True)
class MoneyRate:
    """`points` of the unit pay `minor`; `minimum` and `step` are of what is paid, in minor units."""

    unit: str
    points: int
    minor: int
    minimum: int = 1
    step: int = 1
    max_share: Fraction = Fraction(1)

    def points_for(self, minor: int) -> int:
        """Rounded up: a fraction of a point never pays anything."""
        return -(-minor * self.points // self.minor)

    def minor_for(self, points: int) -> int:
        """The most that so many points pay, in whole steps."""
        paid = points * self.minor // self.points
        return paid - paid % self.step

    def share_of(self, basket_minor: int) -> int:
        """The part of a basket that may be paid with points, in minor units."""
        return basket_minor * self.max_share.numerator // self.max_share.denominator


@dataclass(frozen=True, slots=True)
class Reward:
    """Points for a thing (`price`: points by unit) or for money (`rate`): exactly one of the two.

    `stock` is for all members, `per_member` for each, both counted from when the reward first had such a limit;
    `dates` [from, to) go by the programme's zone.
    """

    id: str
    price: Mapping[str, int] | None = None
    rate: MoneyRate | None = None
    stock: int | None = None
    per_member: int | None = None
    tiers: frozenset[str] | None = None
    dates: tuple[date, date] | None = None
    name: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a reward and when: the day in the programme's zone, the tier then, how many are gone already."""

    day: date
    tier: str | None
    taken_by_member: int
    taken_by_all: int


def ensure_available(reward: Reward, asking: Asking) -> None:
    """RewardNotAvailable with the first reason against it."""
    for policy in _POLICIES:
        policy(reward, asking)


def _has_begun(reward: Reward, asking: Asking) -> None:
    if reward.dates is not None and asking.day < reward.dates[0]:
        raise RewardNotAvailable(reward.id, "not_yet", {"since": reward.dates[0].isoformat()})


def _has_not_ended(reward: Reward, asking: Asking) -> None:
    if reward.dates is not None and asking.day >= reward.dates[1]:
        raise RewardNotAvailable(reward.id, "over", {"until": reward.dates[1].isoformat()})


def _is_open_to_the_tier(reward: Reward, asking: Asking) -> None:
    if reward.tiers is not None and asking.tier not in reward.tiers:
        raise RewardNotAvailable(reward.id, "tier", {"tier": asking.tier, "tiers": sorted(reward.tiers)})


def _is_left_to_the_member(reward: Reward, asking: Asking) -> None:
    if reward.per_member is not None and asking.taken_by_member >= reward.per_member:
        numbers = {"limit": reward.per_member, "taken": asking.taken_by_member}
        raise RewardNotAvailable(reward.id, "member_limit", numbers)


def _is_in_stock(reward: Reward, asking: Asking) -> None:
    if reward.stock is not None and asking.taken_by_all >= reward.stock:
        raise RewardNotAvailable(reward.id, "out_of_stock", {"stock": reward.stock, "taken": asking.taken_by_all})


_POLICIES: tuple[Callable[[Reward, Asking], None], ...] = (
    _has_begun,
    _has_not_ended,
    _is_open_to_the_tier,
    _is_left_to_the_member,
    _is_in_stock,
)
