"""What the contracts' validation found, in the door's words: pointers into what was sent, codes, no values."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from schemas.checkouts import LINES_MAX
from services.ingest.application.refusals import Fault
from services.runtime.http.validation import FAULTS_SHOWN, pointer

TOO_MANY_LINES = "too_many_lines"

# A check over several fields has no place of its own; it points to the field that its sender would look at.
_PLACES = {
    "totals_mismatch": "/tenders",
    "lines_missing": "/lines",
    "lines_not_allowed": "/lines",
    "line_repeated": "/lines",
    "original_missing": "/original",
    "original_not_allowed": "/original",
    "original_not_a_sale": "/original/kind",
}


def faults_of(error: ValidationError, value: Any) -> list[Fault]:
    """At most one per place, in the order of the contract's fields."""
    found: dict[str, Fault] = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        fault = _fault(each["loc"], each["type"], each["msg"], value)
        found.setdefault(fault.pointer, fault)
    return list(found.values())[:FAULTS_SHOWN]


def _fault(location: Sequence[str | int], code: str, message: str, value: Any) -> Fault:
    if not location:
        return Fault(_PLACES.get(code, ""), code, message)
    if location == ("lines",) and code == "too_long":
        return Fault("/lines", TOO_MANY_LINES, f"at most {LINES_MAX} lines")
    where = pointer(location, value, missing=code == "missing")
    if location[0] == "attributes" and len(location) > 1:
        return _attribute_fault(where, location, code)
    return Fault(where, code, message.removeprefix("Value error, "))


def _attribute_fault(where: str, location: Sequence[str | int], code: str) -> Fault:
    if location[-1] == "[key]":
        # The pointer stops before the name: a name that is none may be anything, and pointers are kept in the clear.
        return Fault("/attributes", code, "an attribute is named by a lower-case word of a-z, 0-9 and _")
    return Fault(where, "attribute_type", "an attribute is a string, an integer, true or false")
