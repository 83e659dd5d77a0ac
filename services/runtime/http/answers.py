import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.runtime.errors import NewerReleaseNeeded, NotReady, Transient
from services.runtime.http.problem import Problem, problem_response
from services.runtime.http.validation import invalid_request
from services.runtime.postgres.faults import is_transient

_CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "unavailable",
}


def attributes(refusal: Any) -> dict[str, Any]:
    """The numbers of a refusal: the fields of a dataclass, else what its constructor kept under a public name."""
    if dataclasses.is_dataclass(refusal):
        return {field.name: getattr(refusal, field.name) for field in dataclasses.fields(refusal)}
    return {name: value for name, value in vars(refusal).items() if not name.startswith("_")}


@dataclass(frozen=True, slots=True)
class RefusalMapping:
    """How a refusal is answered; without a code it is the class name in snake case (`insufficient_points`)."""

    status: int = 409
    code: str = ""
    title: str = ""
    extra: Callable[[Any], Mapping[str, Any]] = attributes

    def problem(self, refusal: Exception) -> Problem:
        code = self.code or _snake(type(refusal).__name__)
        title = self.title or code.replace("_", " ").capitalize()
        detail = str(refusal.args[0]) if refusal.args and isinstance(refusal.args[0], str) else ""
        return Problem(self.status, code, title, detail, self.extra(refusal))


Answer = Callable[[Request, Exception], Awaitable[Response]]


def install_answers(app: FastAPI, refusals: Mapping[type[Exception], RefusalMapping]) -> None:
    app.add_exception_handler(Problem, _answer(_as_it_is))
    app.add_exception_handler(HTTPException, _answer(_of_http_exception))
    app.add_exception_handler(RequestValidationError, _answer(invalid_request))
    app.add_exception_handler(Transient, _answer(_of_transient))
    app.add_exception_handler(NewerReleaseNeeded, _answer(_of_older_release))
    for refusal, mapping in refusals.items():
        app.add_exception_handler(refusal, _answer(_refused(mapping)))


def outage(error: Exception) -> Problem | None:
    """The 503 of a database that is away or busy; None for any other error."""
    if not is_transient(error):
        return None
    return Problem(503, "unavailable", detail="the database is away or busy; repeat the request")


def _answer(problem_of: Callable[[Request, Any], Problem]) -> Answer:
    async def answer(request: Request, error: Exception) -> Response:
        return problem_response(problem_of(request, error))

    return answer


def _as_it_is(_request: Request, problem: Problem) -> Problem:
    return problem


def _of_http_exception(_request: Request, error: HTTPException) -> Problem:
    code = _CODES.get(error.status_code, f"http_{error.status_code}")
    return Problem(error.status_code, code, detail=error.detail, headers=error.headers)


def _of_transient(_request: Request, error: Transient) -> Problem:
    reason = error.reason if isinstance(error, NotReady) else "could not be done just now; repeat the request"
    return Problem(
        503,
        "not_ready" if isinstance(error, NotReady) else "unavailable",
        detail=reason,
    )


def _of_older_release(_request: Request, error: NewerReleaseNeeded) -> Problem:
    return Problem(503, "not_ready", detail=str(error))


def _refused(mapping: RefusalMapping) -> Callable[[Request, Exception], Problem]:
    def problem(_request: Request, refusal: Exception) -> Problem:
        return mapping.problem(refusal)

    return problem


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
