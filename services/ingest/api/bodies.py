"""What is answered, and how the bodies that the routes read by themselves look in OpenAPI."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel

from schemas.base import Contract, Instant
from services.ingest.application.ports import CheckoutStatus


class Received(BaseModel):
    """The broker has it; what becomes of it is told by `GET /v1/checkouts/{event_id}`."""

    event_id: UUID
    status: str = "received"


class ConflictAnswer(BaseModel):
    """Set aside for a person: other content, or another member, under an id that was taken."""

    reason: str
    recorded_at: Instant
    times: int


class CheckoutAnswer(BaseModel):
    """`outcome` is a fate of the contract `outcomes`; all but accepted have a reason."""

    event_id: UUID
    outcome: str
    reason: str | None
    member_id: UUID | None
    duplicates: int
    conflicts: list[ConflictAnswer]


def checkout_answer(status: CheckoutStatus) -> CheckoutAnswer:
    return CheckoutAnswer(
        event_id=status.event_id,
        outcome=status.fate,
        reason=status.reason,
        member_id=status.member_id,
        duplicates=status.duplicates,
        conflicts=[
            ConflictAnswer(reason=each.reason, recorded_at=each.recorded_at, times=each.times)
            for each in status.conflicts
        ],
    )


def body_of(model: type[Contract]) -> dict[str, Any]:
    """The `openapi_extra` of a route whose body is this contract."""
    schema = model.model_json_schema()
    inlined = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined}}}}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items()}
