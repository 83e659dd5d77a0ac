"""Answers that change nothing, named like facts, with the numbers that a till needs to say why."""

from collections.abc import Mapping, Sequence


class Refusal(Exception):
    """A command was understood and not done; it leaves no fact, and the same key decides anew."""


class InsufficientPoints(Refusal):
    """The unit has fewer spendable points than the redemption needs."""

    def __init__(self, *, unit: str, available: int, required: int) -> None:
        super().__init__(f"{required} {unit} are needed, {available} are available")
        self.unit = unit
        self.available = available
        self.required = required


class UnitNotSpendable(Refusal):
    """The unit measures standing, and buying something must not cost a tier."""

    def __init__(self, unit: str) -> None:
        super().__init__(f"{unit} is a qualifying unit and cannot be spent")
        self.unit = unit


class BelowMinimum(Refusal):
    """Less is to be paid with points than the programme takes."""

    def __init__(self, *, minor: int, minimum_minor: int) -> None:
        super().__init__(f"at least {minimum_minor} are paid with points, not {minor}")
        self.minor = minor
        self.minimum_minor = minimum_minor


class NotAStep(Refusal):
    """What is to be paid with points is no multiple of the programme's step."""

    def __init__(self, *, minor: int, step_minor: int) -> None:
        super().__init__(f"{minor} is no multiple of {step_minor}")
        self.minor = minor
        self.step_minor = step_minor


class AboveShareOfBasket(Refusal):
    """More of the basket is to be paid with points than the programme allows."""

    def __init__(self, *, minor: int, maximum_minor: int, basket_minor: int) -> None:
        super().__init__(f"at most {maximum_minor} of a basket of {basket_minor} are paid with points, not {minor}")
        self.minor = minor
        self.maximum_minor = maximum_minor
        self.basket_minor = basket_minor


Number = int | str | Sequence[str] | None


class RewardNotAvailable(Refusal):
    """`reason` is one of unknown, not_yet, over, tier, member_limit, out_of_stock, not_a_price, not_a_rate."""

    def __init__(self, reward: str, reason: str, numbers: Mapping[str, Number] | None = None) -> None:
        super().__init__(f"{reward} cannot be had: {reason}")
        self.reward = reward
        self.reason = reason
        self.numbers: Mapping[str, Number] = numbers or {}


class MemberNotActive(Refusal):
    """A member who is blocked, closed or erased does not spend."""

    def __init__(self, member_status: str) -> None:
        super().__init__(f"the member is {member_status}")
        self.member_status = member_status


class UnknownRedemption(Refusal):
    """The member has no redemption with this id."""

    def __init__(self, redemption_id: str) -> None:
        super().__init__("the member has no redemption with this id")
        self.redemption_id = redemption_id


class RedemptionAlreadyCancelled(Refusal):
    """Everything that was spent has been given back; both by unit."""

    def __init__(self, *, redemption_id: str, spent: Mapping[str, int], given_back: Mapping[str, int]) -> None:
        super().__init__("everything that this redemption spent has been given back")
        self.redemption_id = redemption_id
        self.spent = dict(spent)
        self.given_back = dict(given_back)
