"""Topic `programme`: the rules as one versioned document, and the file that marketers write."""

from datetime import date, time
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import CategoryPath, Contract, Count, Currency, Duration, Instant, MinorAmount, ShortText, Token
from schemas.checkouts import Channel, TenderType, TimeZone
from schemas.members import MessageChannel, Purpose

PROGRAMME_V1 = "loyalty.programme.v1"
PROGRAMME_KEY = "programme"
GIFT_RULE = "campaign:"
"""Before a campaign's id: the name of its gift among the rules that gave points."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ExpiryRounding = Literal["none", "end_of_day", "end_of_month", "end_of_quarter", "end_of_half_year", "end_of_year"]
Rounding = Literal["down", "half_up", "up"]
CapPeriod = Literal["day", "week", "month", "year", "lifetime"]
Window = Literal["calendar_year", "calendar_quarter", "calendar_month", "membership_year", "lifetime"]
Validity = Literal["end_of_period", "end_of_next_period", "for_ever"]


def _as_written(number: Any) -> Any:
    # A whole number without quotes is what most people write, and it loses nothing.
    return str(number) if type(number) is int else number


Factor = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?$"),
    BeforeValidator(_as_written, json_schema_input_type=str | int),
]
"""An exact positive rational as a decimal string: `1.5`."""

Positive = Annotated[int, Field(strict=True, ge=1, le=10**12)]
Text = dict[Literal["zh", "en"], ShortText]


class ProgrammePart(Contract):
    """A part of the file: a field that we do not know is a mistake worth telling."""

    model_config = Contract.model_config | {"extra": "forbid"}


class Expires(ProgrammePart):
    after: Duration | None = None
    round: ExpiryRounding = "none"


class RestoredPoints(ProgrammePart):
    """Points that a redemption gives back can be used for so long at least, to the end of that day."""

    at_least: Duration


class Unit(ProgrammePart):
    """What is counted; `qualifying` units measure standing and are never spent.

    Points that come back keep their expiry, unless `restored_points` says otherwise.
    """

    kind: Literal["spendable", "qualifying"] = "spendable"
    name: Text
    decimals: Annotated[int, Field(strict=True, ge=0, le=3)] = 0
    expires: Expires = Expires()
    on_clawback: Literal["debt", "within_balance", "pending_only"] = "debt"
    value_minor: MinorAmount | None = None
    restored_points: RestoredPoints | None = None


class When(ProgrammePart):
    """All given conditions must hold; a list means any of its members."""

    channel: Channel | tuple[Channel, ...] | None = None
    store: Token | tuple[Token, ...] | None = None
    partner: Token | tuple[Token, ...] | None = None
    category: CategoryPath | tuple[CategoryPath, ...] | None = None
    sku: ShortText | tuple[ShortText, ...] | None = None
    tender: TenderType | tuple[TenderType, ...] | None = None
    weekdays: tuple[Weekday, ...] | None = None
    hours: tuple[time, time] | None = None
    dates: tuple[date, date] | None = None
    """First day and the day after the last, in the programme's zone."""
    tier: Token | tuple[Token, ...] | None = None
    minimum_minor: MinorAmount | None = None
    activity: Token | None = None


class Earn(ProgrammePart):
    """`points` by amount (for every `per` minor units), by item, by visit, or fixed (the default without `per`)."""

    unit: Token
    points: Positive
    per: Positive | None = None
    by: Literal["amount", "item", "visit", "fixed"] | None = None
    rounding: Rounding = "down"
    scope: Literal["basket", "line"] = "basket"
    carry: bool = False

    @model_validator(mode="after")
    def _per_goes_with_amount(self) -> Self:
        if self.per is not None and self.by not in (None, "amount"):
            raise PydanticCustomError("per_not_allowed", "per (minor units) goes only with points by amount")
        if self.by == "amount" and self.per is None:
            raise PydanticCustomError("per_missing", "points by amount need per, in minor units: 100 = one yuan")
        return self

    @property
    def basis(self) -> Literal["amount", "item", "visit", "fixed"]:
        return self.by or ("amount" if self.per is not None else "fixed")


class Cap(ProgrammePart):
    points: Positive
    per: CapPeriod


class Pending(ProgrammePart):
    after: Duration
    validity_from: Literal["earning", "activation"] = "earning"


class BestOf(ProgrammePart):
    best_of: Token


class Rule(ProgrammePart):
    """How points are earned; the order is rate, tier factor, best-of, rounding, cap."""

    id: Token
    when: When = When()
    earn: Earn
    tier_factor: dict[Token, Factor] = Field(default_factory=dict)
    cap: Cap | None = None
    pending: Pending | Duration | None = None
    expires: Expires | None = None
    stack: Literal["add"] | BestOf = "add"


class Exclusions(ProgrammePart):
    categories: tuple[CategoryPath, ...] = ()


class Earning(ProgrammePart):
    exclude: Exclusions = Exclusions()
    tax_counts: bool = True
    rules: tuple[Rule, ...] = Field(default=(), max_length=200)


class Level(ProgrammePart):
    id: Token
    name: Text
    reach: Positive
    keep: Positive | None = None
    benefits: tuple[Token, ...] = ()


class Metric(ProgrammePart):
    unit: Token
    window: Window = "calendar_year"


class Tiers(ProgrammePart):
    """Levels in ascending order of `reach`; below the first is the base tier."""

    metric: Metric
    valid: Validity = "end_of_next_period"
    downgrade: Literal["to_match", "one_step", "never"] = "one_step"
    benefits_start: Literal["next_day", "immediately"] = "next_day"
    evaluate_after: Duration = "PT6H"
    on_return: Literal["recompute", "keep"] = "recompute"
    levels: tuple[Level, ...] = Field(min_length=1, max_length=20)


class AsMoney(ProgrammePart):
    """`points` pay `minor`; `minimum` and `step` are of what is paid with points, in minor units."""

    unit: Token
    points: Positive
    minor: Positive
    minimum: Positive = 1
    step: Positive = 1
    max_share: Factor = "1"


class Reward(ProgrammePart):
    """`stock` is for all members together, `per_member` for each; both count from when the reward had them first."""

    id: Token
    name: Text | None = None
    price: dict[Token, Positive] | None = None
    as_money: AsMoney | None = None
    stock: Count | None = None
    per_member: Positive | None = None
    tiers: tuple[Token, ...] | None = None
    dates: tuple[date, date] | None = None

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.price is None) == (self.as_money is None):
            raise PydanticCustomError("one_price", "a reward has either price or as_money")
        return self


def _without_offset(at: time) -> time:
    if at.tzinfo is not None:
        raise PydanticCustomError("offset_not_allowed", "an hour of the member's own day has no offset: 09:00")
    return at


class BirthdayOccasion(ProgrammePart):
    """At an hour of the member's own day, so many days before the birthday; `leap_day` is when 29 February is
    celebrated in other years."""

    days_before: Annotated[int, Field(strict=True, ge=0, le=60)] = 0
    at: Annotated[time, AfterValidator(_without_offset)] = time(9)
    leap_day: Literal["feb_28", "mar_1"] = "feb_28"


class Occasion(ProgrammePart):
    """Exactly one: reaching a tier, or a birthday."""

    tier: Token | None = None
    birthday: BirthdayOccasion | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.tier is None) == (self.birthday is None):
            raise PydanticCustomError("one_occasion", "a campaign is on one occasion: tier or birthday")
        return self


class Gift(ProgrammePart):
    """Given once for the occasion, whatever becomes of the message; `points` in the unit's smallest steps."""

    unit: Token
    points: Positive


class Campaign(ProgrammePart):
    id: Token
    on: Occasion
    channels: tuple[MessageChannel, ...] = Field(min_length=1, max_length=4)
    template: Token
    purpose: Purpose = "marketing"
    tolerance: Duration = "P2D"
    gift: Gift | None = None


class TemplateText(ProgrammePart):
    """Jinja2, sandboxed; may use member.{name, locale} and programme, and what every campaign that sends it has:
    tier.{name, since, valid_until}, birthday.day, gift.{points, unit}."""

    subject: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class ProgrammeDocument(ProgrammePart):
    """One version of a programme, as published; never edited afterwards."""

    programme: Token
    version: Annotated[int, Field(strict=True, ge=1, le=10**6)]
    effective_from: Instant
    time_zone: TimeZone
    currency: Currency
    claim_window: Duration = "P30D"
    units: dict[Token, Unit] = Field(min_length=1, max_length=20)
    earning: Earning = Earning()
    tiers: Tiers | None = None
    rewards: tuple[Reward, ...] = Field(default=(), max_length=500)
    campaigns: tuple[Campaign, ...] = Field(default=(), max_length=200)
    templates: dict[Token, dict[Literal["zh", "en"], TemplateText]] = Field(default_factory=dict, max_length=200)


class ProgrammePublished(Contract):
    """A version made public (CloudEvents type `loyalty.programme.v1`, key `programme`)."""

    version: Count
    effective_from: Instant
    published_at: Instant
    document: ProgrammeDocument
