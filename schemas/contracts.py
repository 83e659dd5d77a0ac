"""Every contract that is published, by name: what others are told, and what is frozen."""

import json
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.base import Contract
from schemas.checkouts import CHECKOUT_V1, Checkout
from schemas.members import MEMBER_V1, MemberState
from schemas.messages import MessageFact, MessageFate, message_type
from schemas.outcomes import OUTCOME_V1, Outcome
from schemas.points import PointsFact, points_type
from schemas.programme import PROGRAMME_V1, ProgrammeDocument, ProgrammePublished
from schemas.purchases import ACTIVITY_V1, PURCHASE_V1, Activity, Purchase
from schemas.tiers import TIER_CHANGED_V1, TierChanged


@dataclass(frozen=True, slots=True)
class PublishedContract:
    """`name` is topic, type and version (`points.purchase_recorded.v1`), in file names and in `$id`.

    `types` are the CloudEvents types of its messages, none for a file. `is_read_by_us_alone`: whoever writes it waits
    until our readers are new enough, so that it may come to allow more.
    """

    name: str
    model: type[Contract]
    types: tuple[str, ...]
    is_read_by_us_alone: bool = False

    @property
    def topic(self) -> str:
        return self.name.partition(".")[0]

    @property
    def file_name(self) -> str:
        return f"{self.name}.schema.json"

    def schema(self) -> dict[str, Any]:
        schema = self.model.model_json_schema(schema_generator=_Generator)
        return {"$schema": _Generator.schema_dialect, "$id": f"urn:loyalty:schema:{self.name}"} | schema

    def rendered(self) -> str:
        """Equal models give equal bytes: every object is sorted."""
        return json.dumps(self.schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        # The format `time` of JSON Schema demands an offset, and editors insist on it; a shop's clock has none.
        return {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}


def _points_facts() -> tuple[PublishedContract, ...]:
    models: tuple[Any, ...] = get_args(get_args(PointsFact)[0])
    named = [(get_args(model.model_fields["type"].annotation)[0], model) for model in models]
    return tuple(PublishedContract(f"points.{name}.v1", model, (points_type(name),)) for name, model in named)


CONTRACTS = (
    PublishedContract("checkouts.checkout.v1", Checkout, (CHECKOUT_V1,), is_read_by_us_alone=True),
    PublishedContract("outcomes.outcome.v1", Outcome, (OUTCOME_V1,)),
    PublishedContract("purchases.purchase.v1", Purchase, (PURCHASE_V1,)),
    PublishedContract("activities.activity.v1", Activity, (ACTIVITY_V1,)),
    *_points_facts(),
    PublishedContract("tiers.tier.changed.v1", TierChanged, (TIER_CHANGED_V1,)),
    PublishedContract("members.member.v1", MemberState, (MEMBER_V1,)),
    PublishedContract("programme.programme.v1", ProgrammePublished, (PROGRAMME_V1,), is_read_by_us_alone=True),
    PublishedContract("programme.document.v1", ProgrammeDocument, (), is_read_by_us_alone=True),
    PublishedContract("messages.message.v1", MessageFact, tuple(map(message_type, get_args(MessageFate)))),
)
