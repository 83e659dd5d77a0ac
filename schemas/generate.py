"""`python -m schemas.generate`: the JSON Schema of every contract, for readers in other languages and for editors."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas.base import Contract
from schemas.checkouts import Checkout
from schemas.members import MemberState
from schemas.messages import MessageFact
from schemas.outcomes import Outcome
from schemas.points import PointsFact
from schemas.programme import ProgrammeDocument, ProgrammePublished
from schemas.purchases import Activity, Purchase
from schemas.tiers import TierChanged

DIRECTORY = Path(__file__).parent / "json"


@dataclass(frozen=True, slots=True)
class PublishedContract:
    """`name` is topic, type and version (`points.purchase_recorded.v1`), in file names and in `$id`."""

    name: str
    model: type[Contract]

    @property
    def topic(self) -> str:
        return self.name.partition(".")[0]

    @property
    def file_name(self) -> str:
        return f"{self.name}.schema.json"

    def rendered(self) -> str:
        """Equal models give equal bytes: every object is sorted."""
        schema = self.model.model_json_schema(schema_generator=_Generator)
        document = {"$schema": _Generator.schema_dialect, "$id": f"urn:loyalty:schema:{self.name}"} | schema
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(directory: Path = DIRECTORY) -> int:
    """Brings the directory to exactly the contracts of the code; answers how many files changed."""
    directory.mkdir(exist_ok=True)
    wanted = {contract.file_name: contract.rendered() for contract in CONTRACTS}
    found = {file.name: file.read_text() for file in directory.glob("*.schema.json")}
    for name in sorted(found.keys() - wanted.keys()):
        (directory / name).unlink()
    changed = [name for name, text in wanted.items() if found.get(name) != text]
    for name in changed:
        (directory / name).write_text(wanted[name])
    return len(changed) + len(found.keys() - wanted.keys())


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        # The format `time` of JSON Schema demands an offset, and editors insist on it; a shop's clock has none.
        return {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}


def _points_facts() -> tuple[PublishedContract, ...]:
    models: tuple[Any, ...] = get_args(get_args(PointsFact)[0])
    types = [get_args(model.model_fields["type"].annotation)[0] for model in models]
    return tuple(PublishedContract(f"points.{name}.v1", model) for name, model in zip(types, models, strict=True))


CONTRACTS = (
    PublishedContract("checkouts.checkout.v1", Checkout),
    PublishedContract("outcomes.outcome.v1", Outcome),
    PublishedContract("purchases.purchase.v1", Purchase),
    PublishedContract("activities.activity.v1", Activity),
    *_points_facts(),
    PublishedContract("tiers.tier.changed.v1", TierChanged),
    PublishedContract("members.member.v1", MemberState),
    PublishedContract("programme.programme.v1", ProgrammePublished),
    PublishedContract("programme.document.v1", ProgrammeDocument),
    PublishedContract("messages.message.v1", MessageFact),
)

if __name__ == "__main__":
    sys.stdout.write(f"{len(CONTRACTS)} schemas in schemas/json, {main()} changed\n")
