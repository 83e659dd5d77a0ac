"""What points can be had for: every reward in force, and for a member whether it can be had now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ledger.application.inquiry import Archive, account_of
from services.ledger.domain.balances import settled
from services.ledger.domain.facts import SpendingFact
from services.ledger.domain.ids import MemberId
from services.ledger.domain.instants import in_utc
from services.ledger.domain.redemption import ACTIVE, asking_for, ensure_affordable
from services.ledger.domain.refusals import MemberNotActive, Refusal
from services.ledger.domain.rewards import Reward, ensure_available
from services.ledger.domain.rules import Rules, rules_in_force
from services.ledger.domain.settle import now_of
from services.ledger.domain.spending import taken_in
from services.ledger.domain.state import AccountState


class Stocks(Protocol):
    """What a reader sees beside the accounts."""

    async def taken(self) -> Mapping[str, int]: ...
    async def status(self, member: MemberId) -> str | None: ...
    async def spending(self, member: MemberId) -> list[SpendingFact]: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """A reward with what is `left` of its stock, and the first thing that keeps the member from it."""

    reward: Reward
    left: int | None
    for_nobody: bool
    why_not: Refusal | None
    affordable_minor: int | None


@dataclass(frozen=True, slots=True)
class Offers:
    programme_version: int | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class _Visitor:
    """A member who looks at the rewards."""

    state: AccountState
    status: str
    spending: Sequence[SpendingFact]


async def offers(
    archive: Archive, stocks: Stocks, versions: Sequence[Rules], member: MemberId | None, clock: datetime
) -> Offers:
    """Raises UnknownMember. Nothing is promised: the redemption decides."""
    visitor = None if member is None else await _visitor(archive, stocks, member, clock)
    at = in_utc(clock)
    rules = rules_in_force(versions, at)
    if rules is None:
        return Offers(None, ())
    taken = await stocks.taken()
    return Offers(
        rules.version,
        tuple(_offer(reward, rules, taken.get(reward.id, 0), visitor, at) for reward in rules.rewards.values()),
    )


async def _visitor(archive: Archive, stocks: Stocks, member: MemberId, clock: datetime) -> _Visitor:
    state = await account_of(archive, member)
    status = await stocks.status(member) or ACTIVE
    return _Visitor(settled(state, now_of(state, clock)), status, await stocks.spending(member))


def _offer(reward: Reward, rules: Rules, taken: int, visitor: _Visitor | None, at: datetime) -> Offer:
    left = None if reward.stock is None else max(0, reward.stock - taken)
    if visitor is None:
        return Offer(reward, left, True, None, None)
    why_not = _why_not(reward, rules, taken, visitor, at)
    available = visitor.state.units.get(reward.rate.unit) if reward.rate else None
    minor = reward.rate.minor_for(available.available) if reward.rate and available else 0
    return Offer(reward, left, False, why_not, minor if reward.rate and why_not is None else None)


def _why_not(reward: Reward, rules: Rules, taken: int, visitor: _Visitor, at: datetime) -> Refusal | None:
    if visitor.status != ACTIVE:
        return MemberNotActive(visitor.status)
    state = visitor.state
    asking = asking_for(state, reward, rules, at, taken, taken_in(visitor.spending, reward.id))
    try:
        if asking is not None:
            ensure_available(reward, asking)
        ensure_affordable(state, reward)
    except Refusal as refusal:
        return refusal
    return None
