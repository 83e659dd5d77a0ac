"""What is answered, and how the bodies that the routes read by themselves look in OpenAPI."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel

from schemas.base import Contract, Instant
from services.ingest.application.ports import CheckoutStatus, ConflictStatus


class Received(BaseModel):
    """The broker has it; what becomes of it is told by `GET /v1/checkouts/{event_id}`."""

    event_id: UUID
    status: str = "received"


class ConflictAnswer(BaseModel):
    """Set aside for a person: other content, or another member, under an id that was taken.

    `verdict` is null while it is open; `accepted_as` is the id under which a second sale was let in.
    """

    fingerprint: str
    reason: str
    recorded_at: Instant
    times: int
    verdict: str | None
    decided_at: Instant | None
    accepted_as: UUID | None


class CheckoutAnswer(BaseModel):
    """`outcome` is a fate of the contract `outcomes`; all but accepted have a reason.

    `waits_until`: the first instant at which an unclaimed sale has lapsed, or a waiting return is put before a person.
    """

    event_id: UUID
    outcome: str
    reason: str | None
    member_id: UUID | None
    waits_until: Instant | None
    duplicates: int
    conflicts: list[ConflictAnswer]


def checkout_answer(status: CheckoutStatus) -> CheckoutAnswer:
    return CheckoutAnswer(
        event_id=status.event_id,
        outcome=status.fate,
        reason=status.reason,
        member_id=status.member_id,
        waits_until=status.waits_until,
        duplicates=status.duplicates,
        conflicts=[_conflict(each) for each in status.conflicts],
    )


def _conflict(status: ConflictStatus) -> ConflictAnswer:
    return ConflictAnswer(
        fingerprint=status.fingerprint.hex(),
        reason=status.reason,
        recorded_at=status.recorded_at,
        times=status.times,
        verdict=status.verdict,
        decided_at=status.decided_at,
        accepted_as=status.accepted_as,
    )


NDJSON = "application/x-ndjson"
_LINES: dict[str, Any] = {NDJSON: {"schema": {"type": "string"}}}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "description": "A checkout as JSON on each line.", "content": _LINES}
}
BATCH_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "For each line `line`, `status` and `event_id`, or a problem (RFC 9457) with `line`.",
        "content": _LINES,
    }
}


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
