"""What a till is told: what was spent or given back, and the balances behind it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from services.ledger.api.answers import UnitAnswer, unit_answer
from services.ledger.application.redeeming import Outcome
from services.ledger.application.rewards import Offer
from services.ledger.domain.balances import view
from services.ledger.domain.facts import PointsExpired, PointsRedeemed, RedemptionCancelled
from services.ledger.domain.refusals import Refusal
from services.ledger.domain.spending import sums_by_unit
from services.runtime.http.answers import RefusalMapping


class RedemptionAnswer(BaseModel):
    """`spent` is points by unit; `minor` is what they pay, null where that is not money."""

    redemption_id: str
    spent: dict[str, int]
    minor: int | None
    balances: dict[str, UnitAnswer]


class CancellationAnswer(BaseModel):
    """Points by unit: `given_back` in all, of which `expired` at once, their lot being past."""

    redemption_id: str
    given_back: dict[str, int]
    expired: dict[str, int]
    balances: dict[str, UnitAnswer]


class RateAnswer(BaseModel):
    """`points` pay `minor`; `minimum` and `step` in minor units, `max_share` of a basket as numerator/denominator."""

    unit: str
    points: int
    minor: int
    minimum: int
    step: int
    max_share: str


class RewardAnswer(BaseModel):
    """`available` and `why_not` speak of the member, and are null where none was named; `left` is of the stock.

    `affordable_minor`: the most that the member's points pay, in whole steps and whatever the basket.
    """

    reward: str
    name: dict[str, str]
    price: dict[str, int] | None
    as_money: RateAnswer | None
    left: int | None
    per_member: int | None
    tiers: list[str] | None
    since: str | None
    until: str | None
    available: bool | None
    affordable_minor: int | None
    why_not: dict[str, Any] | None


class RewardsAnswer(BaseModel):
    member_id: str | None
    programme_version: int | None
    rewards: list[RewardAnswer]


def redemption_answer(outcome: Outcome) -> RedemptionAnswer:
    (fact,) = [fact for fact in outcome.facts if isinstance(fact, PointsRedeemed)]
    return RedemptionAnswer(
        redemption_id=fact.redemption_id, spent=dict(fact.spent), minor=fact.minor, balances=_balances(outcome)
    )


def cancellation_answer(outcome: Outcome) -> CancellationAnswer:
    (place,) = [place for place, fact in enumerate(outcome.facts) if isinstance(fact, RedemptionCancelled)]
    fact, behind = outcome.facts[place], outcome.facts[place + 1 :]
    assert isinstance(fact, RedemptionCancelled)
    expired = sums_by_unit(move for each in behind if isinstance(each, PointsExpired) for move in each.moves)
    return CancellationAnswer(
        redemption_id=fact.redemption_id,
        given_back=dict(fact.given_back),
        expired=expired,
        balances=_balances(outcome),
    )


def reward_answer(offer: Offer, refusals: Mapping[type[Exception], RefusalMapping]) -> RewardAnswer:
    reward, rate = offer.reward, offer.reward.rate
    since, until = reward.dates or (None, None)
    return RewardAnswer(
        reward=reward.id,
        name=dict(reward.name),
        price=dict(reward.price) if reward.price else None,
        as_money=rate
        and RateAnswer(
            unit=rate.unit,
            points=rate.points,
            minor=rate.minor,
            minimum=rate.minimum,
            step=rate.step,
            max_share=str(rate.max_share),
        ),
        left=offer.left,
        per_member=reward.per_member,
        tiers=None if reward.tiers is None else sorted(reward.tiers),
        since=since and since.isoformat(),
        until=until and until.isoformat(),
        available=None if offer.for_nobody else offer.why_not is None,
        affordable_minor=offer.affordable_minor,
        why_not=None if offer.why_not is None else _told(offer.why_not, refusals),
    )


def _balances(outcome: Outcome) -> dict[str, UnitAnswer]:
    last = outcome.state.last_recorded_at
    assert last is not None, "a command leaves a fact"
    return {unit: unit_answer(each) for unit, each in view(outcome.state, last).units.items()}


def _told(refusal: Refusal, refusals: Mapping[type[Exception], RefusalMapping]) -> dict[str, Any]:
    problem = refusals[type(refusal)].problem(refusal)
    return {"code": problem.code} | problem.extra
