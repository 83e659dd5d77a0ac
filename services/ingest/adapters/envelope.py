"""CloudEvents as tills write them to Kafka: binary mode (`ce_` headers, the value is the checkout) or structured."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from schemas.checkouts import CHECKOUT_V1
from services.ingest.application.refusals import Fault, Unreadable

STRUCTURED = "application/cloudevents+json"
SPECVERSION = "1.0"


def unwrap(headers: Mapping[str, str], value: bytes | None) -> bytes:
    """The JSON text of the checkout. A till that writes no `ce_` headers at all is taken at its word."""
    if value is None:
        raise _refused("empty", "a record of this topic has a value")
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type.startswith("application/cloudevents"):
        return _structured(content_type, value)
    if content_type not in ("", "application/json"):
        raise _refused("unsupported_media_type", "the value is JSON, or an event in structured mode")
    # Bare JSON from a console producer is still a valid sale: refusing it would lose more than it protects.
    _check(headers.get("ce_specversion", SPECVERSION), headers.get("ce_type", CHECKOUT_V1), "")
    return value


def _structured(content_type: str, value: bytes) -> bytes:
    if content_type != STRUCTURED:
        raise _refused("unsupported_media_type", f"events in structured mode are {STRUCTURED}")
    try:
        event: Any = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise _refused("invalid_json", str(error)) from None
    if not isinstance(event, dict):
        raise _refused("invalid_envelope", "an event in structured mode is a JSON object")
    _check(event.get("specversion"), event.get("type"), "/type")
    if not isinstance(event.get("data"), dict):
        raise _refused("invalid_envelope", "the checkout stands in data, as JSON", "/data")
    return to_json(event["data"])


def _check(specversion: object, event_type: object, pointer: str) -> None:
    if specversion != SPECVERSION:
        raise _refused("unknown_specversion", f"CloudEvents {SPECVERSION} is read here")
    if event_type != CHECKOUT_V1:
        raise _refused("unknown_type", f"this topic carries {CHECKOUT_V1}", pointer)


def _refused(code: str, detail: str, pointer: str = "") -> Unreadable:
    return Unreadable([Fault(pointer, code, detail)])
