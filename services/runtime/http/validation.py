from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from services.runtime.http.problem import Fault, Problem, fault, invalid

FAULTS_SHOWN = 100


def invalid_request(_request: Request, error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(each["loc"] == ("body",) for each in faults) and isinstance(error.body, bytes):
        return Problem(415, "unsupported_media_type", detail="send the body as application/json")
    return invalid([_fault(each, error.body) for each in faults[:FAULTS_SHOWN]])


def pointer(location: Sequence[str | int], body: Any, *, missing: bool = False) -> str:
    """A JSON pointer (RFC 6901) into `body`, from a pydantic location.

    Names of union branches, which pydantic puts between, are left out.
    """
    steps: list[str | int] = []
    for position, step in enumerate(location):
        is_last = position == len(location) - 1
        if _holds(body, step):
            body = body[step]
            steps.append(step)
        elif is_last and missing:
            steps.append(step)
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _fault(each: Any, body: Any) -> Fault:
    place, *location = each["loc"]
    if place == "body":
        where = pointer(location, body, missing=each["type"] == "missing")
    else:
        where = str(location[0]) if location else str(place)
    return fault(where, each["type"], each["msg"])


def _holds(body: Any, step: str | int) -> bool:
    if isinstance(body, dict):
        return step in body
    return isinstance(body, list) and isinstance(step, int) and step < len(body)
