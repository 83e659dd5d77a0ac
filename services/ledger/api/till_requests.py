"""What a till may ask for; a misspelt field is a fault, for it may be the one that matters."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from schemas.base import MINOR_UNITS_MAX, POINTS_MAX, ShortText, Token
from services.ledger.domain.commands import AsMoney, ForPoints, ForReward, Wish

Minor = Annotated[int, Field(strict=True, ge=1, le=MINOR_UNITS_MAX)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    order: ShortText | None = None


class RewardAsked(_Asked):
    """A reward of the programme, at its price."""

    reward: Token

    def wish(self) -> Wish:
        return ForReward(self.reward)


class PointsAsked(_Asked):
    """So many points, in the unit's smallest step."""

    unit: Token
    points: Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]

    def wish(self) -> Wish:
        return ForPoints(self.unit, self.points)


class MoneyAsked(_Asked):
    """`minor` of a basket of `basket_minor` are paid with points, by the rate of the reward `as_money`."""

    as_money: Token
    minor: Minor
    basket_minor: Minor

    def wish(self) -> Wish:
        return AsMoney(self.as_money, self.minor, self.basket_minor)


def _kind(body: Any) -> str:
    named = body if isinstance(body, dict) else {}
    if "as_money" in named:
        return "for money"
    return "for points" if "unit" in named or "points" in named else "for a reward"


# No tag is the name of a field: where a fault lies would read as if the tag were a part of the body.
RedemptionAsked = Annotated[
    Annotated[RewardAsked, Tag("for a reward")]
    | Annotated[PointsAsked, Tag("for points")]
    | Annotated[MoneyAsked, Tag("for money")],
    Discriminator(_kind),
]


class CancellationAsked(BaseModel):
    """Nothing but the redemption in the path: all that is left of it is given back."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
