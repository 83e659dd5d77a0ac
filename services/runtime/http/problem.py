from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

PROBLEM_MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
_TEXT = {"type": "string"}
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem (RFC 9457); `code` is stable, numbers and pointers stand beside it",
    "content": {
        PROBLEM_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code"],
                "properties": {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "code": _TEXT},
            }
        }
    },
}
_MUST_SAY_WHEN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Fault(TypedDict):
    """One thing wrong with a request: a JSON pointer into its body, or the name of the query value or header."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):
    """An answer other than success (RFC 9457), raised anywhere below the edge; `extra` stands beside `code`."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


def fault(pointer: str, code: str, message: str) -> Fault:
    return {"pointer": pointer, "code": code, "detail": message}


def invalid(faults: Sequence[Fault], *, detail: str = "") -> Problem:
    """The 422 of a request that can be read and does not say what it must: every fault at once."""
    return Problem(
        422,
        "invalid_request",
        "The request is not valid",
        detail,
        {"errors": list(faults)},
    )


def problem_response(problem: Problem) -> JSONResponse:
    headers = dict(problem.headers)
    if problem.status in _MUST_SAY_WHEN:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return JSONResponse(
        problem_document(problem),
        status_code=problem.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def problem_document(problem: Problem) -> dict[str, Any]:
    """The body of its answer; also what stands for it where one answer tells of many things."""
    document: dict[str, Any] = {
        "type": f"urn:loyalty:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
    }
    if problem.detail:
        document["detail"] = problem.detail
    return document | {name: jsonable_encoder(value) for name, value in problem.extra.items() if name not in document}
