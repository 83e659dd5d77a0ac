from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime.http.problem import Problem, problem_response
from services.runtime.http.readiness import Readiness

RETRY_AFTER_SECONDS = 10


class Gate:
    """Turns every request away while the service is not safe to use; only the operational paths stay."""

    def __init__(self, app: ASGIApp, *, readiness: Readiness, always_open: frozenset[str]) -> None:
        self._app = app
        self._readiness = readiness
        self._always_open = always_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._readiness.gate
        if gate.ok or scope["type"] != "http" or scope["path"] in self._always_open:
            await self._app(scope, receive, send)
            return
        extra = {"remedy": gate.remedy} if gate.remedy else {}
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        problem = Problem(503, "not_ready", detail=gate.detail, extra=extra, headers=headers)
        await problem_response(problem)(scope, receive, send)
