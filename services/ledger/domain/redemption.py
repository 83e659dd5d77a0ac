"""Points are spent, and given back into the lots that they came from."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from services.ledger.domain.commands import AsMoney, CancelRedemption, ForPoints, ForReward, RedeemPoints, Wish
from services.ledger.domain.crediting import expired_on_arrival, restored
from services.ledger.domain.evolve import fold
from services.ledger.domain.facts import Allotment, Cause, Fact, PointsRedeemed, RedemptionCancelled
from services.ledger.domain.instants import in_utc
from services.ledger.domain.lots import consumption_order
from services.ledger.domain.moves import Bucket, Move
from services.ledger.domain.refusals import (
    AboveShareOfBasket,
    BelowMinimum,
    InsufficientPoints,
    MemberNotActive,
    NotAStep,
    RedemptionAlreadyCancelled,
    RewardNotAvailable,
    UnitNotSpendable,
    UnknownRedemption,
)
from services.ledger.domain.rewards import Asking, MoneyRate, Reward, ensure_available
from services.ledger.domain.rules import Rules, rules_in_force
from services.ledger.domain.settle import due_facts, now_of
from services.ledger.domain.spending import limited_reward, redemption_in, sums_by_unit
from services.ledger.domain.state import AccountState

ACTIVE = "active"
UNKNOWN = "unknown"
NO_VERSION = 0

Price = tuple[tuple[str, int], ...]


def redeem_points(state: AccountState, command: RedeemPoints, versions: Sequence[Rules]) -> tuple[Fact, ...]:
    """The redemption behind what was due, or a refusal. Which versions are known is no reason to wait here."""
    now = now_of(state, command.clock)
    dragged = due_facts(state, now, decision=command.event_id)
    state = fold(state, dragged)
    if command.status != ACTIVE:
        raise MemberNotActive(command.status)
    occurred_at = in_utc(command.occurred_at)
    rules, tier, wish = rules_in_force(versions, occurred_at), state.tier_at(occurred_at), command.wish
    reward = _reward_asked(rules, wish)
    asking = asking_for(state, reward, rules, occurred_at, command.taken_by_all, command.taken_by_member)
    if reward is not None and asking is not None:
        ensure_available(reward, asking)
    price = _price(rules, reward, wish)
    is_money = isinstance(wish, AsMoney)
    stock, per_member = _allotments(reward, asking)
    redeemed = PointsRedeemed(
        cause=Cause(command.event_id, 0, occurred_at, now, None),
        moves=tuple(_spent(state, price)),
        redemption_id=command.event_id,
        reward=reward.id if reward is not None and not is_money else None,
        as_money=reward.id if reward is not None and is_money else None,
        minor=wish.minor if isinstance(wish, AsMoney) else None,
        basket_minor=wish.basket_minor if isinstance(wish, AsMoney) else None,
        order=command.order,
        spent=price,
        stock=stock,
        per_member=per_member,
        programme_version=NO_VERSION if rules is None else rules.version,
        tier=tier,
        command=command.command,
    )
    return (*dragged, redeemed)


def cancel_redemption(state: AccountState, command: CancelRedemption, versions: Sequence[Rules]) -> tuple[Fact, ...]:
    """What is left of the redemption goes back; points whose lot has expired meanwhile expire at once."""
    redemption = redemption_in(command.spending, command.redemption_id)
    if redemption is None:
        raise UnknownRedemption(command.redemption_id)
    fact = redemption.fact
    if not redemption.spent:
        spent = dict(fact.spent)
        raise RedemptionAlreadyCancelled(redemption_id=command.redemption_id, spent=spent, given_back=spent)
    now = now_of(state, command.clock)
    dragged = due_facts(state, now, decision=command.event_id)
    cause = Cause(command.event_id, 0, in_utc(command.occurred_at), now, None)
    rules = rules_in_force(versions, cause.occurred_at)
    moves, past = restored(fold(state, dragged), redemption.spent, rules, now)
    cancelled = RedemptionCancelled(
        cause=cause,
        moves=moves,
        redemption_id=command.redemption_id,
        given_back=tuple(sorted(sums_by_unit(redemption.spent).items())),
        limited=limited_reward(fact),
        # Spent again for the void of a return, it may be cancelled again: the reward was freed the first time.
        frees_stock=fact.stock is not None and not redemption.is_cancelled,
        frees_allowance=fact.per_member is not None and not redemption.is_cancelled,
        command=command.command,
    )
    return (*dragged, cancelled, *expired_on_arrival(cause, past, len(dragged) + 1))


def reward_of(versions: Sequence[Rules], wish: Wish, at: datetime) -> Reward | None:
    """The reward that is meant, where the version in force at `at` has it."""
    rules = rules_in_force(versions, in_utc(at))
    return None if rules is None or isinstance(wish, ForPoints) else rules.rewards.get(wish.reward)


def asking_for(
    state: AccountState,
    reward: Reward | None,
    rules: Rules | None,
    at: datetime,
    taken_by_all: int,
    taken_by_member: int | None,
) -> Asking | None:
    """The member as a reward's conditions look at them; None where there is nothing to look at."""
    if reward is None or rules is None:
        return None
    counted = state.taken(reward.id)
    taken = taken_by_member if counted is None else counted
    assert taken is not None or reward.per_member is None, "the account does not count this reward: read the entries"
    return Asking(at.astimezone(rules.zone).date(), state.tier_at(at), taken or 0, taken_by_all)


def ensure_affordable(state: AccountState, reward: Reward) -> None:
    """InsufficientPoints unless the account pays the price, or the least that the rate takes."""
    least = reward.price or {}
    if (rate := reward.rate) is not None:
        least = {rate.unit: rate.points_for(max(rate.minimum, rate.step))}
    for unit, points in sorted(least.items()):
        _ensure_sufficient(state, unit, points)


def _reward_asked(rules: Rules | None, wish: Wish) -> Reward | None:
    if isinstance(wish, ForPoints):
        return None
    reward = None if rules is None else rules.rewards.get(wish.reward)
    if reward is None:
        raise RewardNotAvailable(wish.reward, UNKNOWN)
    return reward


def _price(rules: Rules | None, reward: Reward | None, wish: Wish) -> Price:
    match wish:
        case ForPoints():
            return ((_spendable(rules, wish.unit), wish.points),)
        case ForReward():
            if reward is None or reward.price is None:
                raise RewardNotAvailable(wish.reward, "not_a_price")
            return tuple(sorted(reward.price.items()))
        case AsMoney():
            if reward is None or reward.rate is None:
                raise RewardNotAvailable(wish.reward, "not_a_rate")
            return _price_of_money(reward.rate, wish.minor, wish.basket_minor)
        case _:
            assert_never(wish)


def _price_of_money(rate: MoneyRate, minor: int, basket_minor: int) -> Price:
    if minor < rate.minimum:
        raise BelowMinimum(minor=minor, minimum_minor=rate.minimum)
    if minor % rate.step:
        raise NotAStep(minor=minor, step_minor=rate.step)
    if minor > (most := rate.share_of(basket_minor)):
        raise AboveShareOfBasket(minor=minor, maximum_minor=most, basket_minor=basket_minor)
    return ((rate.unit, rate.points_for(minor)),)


def _spendable(rules: Rules | None, unit: str) -> str:
    declared = None if rules is None else rules.units.get(unit)
    if declared is not None and declared.qualifying:
        raise UnitNotSpendable(unit)
    return unit


def _spent(state: AccountState, price: Price) -> Iterator[Move]:
    for unit, points in price:
        _ensure_sufficient(state, unit, points)
        for lot in consumption_order(lot for lot in state.lots.values() if lot.unit == unit and lot.available):
            taken = min(points, lot.available)
            yield Move(unit, lot.id, Bucket.AVAILABLE, Bucket.SPENT, taken)
            points -= taken
            if not points:
                break


def _ensure_sufficient(state: AccountState, unit: str, points: int) -> None:
    available = state.units[unit].available if unit in state.units else 0
    if available < points:
        raise InsufficientPoints(unit=unit, available=available, required=points)


def _allotments(reward: Reward | None, asking: Asking | None) -> tuple[Allotment | None, Allotment | None]:
    if reward is None or asking is None:
        return None, None
    return (
        None if reward.stock is None else Allotment(asking.taken_by_all, reward.stock),
        None if reward.per_member is None else Allotment(asking.taken_by_member, reward.per_member),
    )
