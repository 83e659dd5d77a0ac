import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.http.answers import outage
from services.runtime.http.problem import Problem, problem_response
from services.runtime.telemetry.log import logger
from services.runtime.telemetry.metrics import Metrics

_log = logger(__name__)
_UNROUTED = "(unrouted)"


class AccessLog:
    """The outermost edge: one line and two metrics per request, and an answer where the code below failed to give one.

    Routes stand for paths, and neither bodies, queries nor headers are told: they may hold personal data.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, quiet: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if status:
                raise
            await problem_response(_problem(error))(scope, receive, watched)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], _route(scope)
        self._metrics.add(
            "loyalty_http_requests_total",
            method=method,
            route=route,
            status=str(status),
        )
        self._metrics.observe("loyalty_http_request_seconds", seconds, method=method, route=route)
        if scope["path"] not in self._quiet:
            _log.info(
                "http_request",
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


def _problem(error: Exception) -> Problem:
    problem = outage(error)
    if problem is None:
        _log.error("http_request_failed", exc_info=error)
        return Problem(
            500,
            "internal_error",
            detail="this was not expected, and is in the service's log",
        )
    _log.warning("http_request_unavailable", exc_info=error)
    return problem


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else _UNROUTED
