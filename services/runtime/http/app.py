from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from services.runtime.http.access_log import AccessLog
from services.runtime.http.answers import RefusalMapping, install_answers
from services.runtime.http.auth import Authenticator
from services.runtime.http.body import BodyLimits, Streamed
from services.runtime.http.gate import Gate
from services.runtime.http.operations import PATHS, operations_router
from services.runtime.http.problem import PROBLEM_RESPONSE
from services.runtime.http.readiness import Readiness
from services.runtime.telemetry.heartbeat import Heartbeat
from services.runtime.telemetry.metrics import Metrics

BODY_LIMIT_BYTES = 262_144
VERSION = "1"
_NO_REFUSALS: Mapping[type[Exception], RefusalMapping] = MappingProxyType({})
_NONE_STREAMED: Streamed = MappingProxyType({})


def create_app(
    *,
    title: str,
    routers: Sequence[APIRouter],
    readiness: Readiness,
    authenticator: Authenticator | None = None,
    refusals: Mapping[type[Exception], RefusalMapping] = _NO_REFUSALS,
    body_limit_bytes: int = BODY_LIMIT_BYTES,
    streamed: Streamed = _NONE_STREAMED,
    metrics: Metrics | None = None,
    heartbeat: Heartbeat | None = None,
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """`streamed`: by path, the media types that its route reads by itself (NDJSON, YAML), with their limits."""
    metrics = metrics or Metrics()
    app = FastAPI(
        title=title,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": PROBLEM_RESPONSE, "5XX": PROBLEM_RESPONSE},
        # Its spans carry query strings and its records the words of exceptions: either may be somebody's data.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            Middleware(AccessLog, metrics=metrics, quiet=PATHS),
            Middleware(Gate, readiness=readiness, always_open=PATHS),
            Middleware(BodyLimits, limit_bytes=body_limit_bytes, streamed=streamed),
            *middleware,
        ],
    )
    app.state.authenticator = authenticator
    app.state.readiness = readiness
    app.state.metrics = metrics
    app.state.heartbeat = heartbeat or Heartbeat()
    install_answers(app, refusals)
    for router in (operations_router(), *routers):
        app.include_router(router)
    return app
