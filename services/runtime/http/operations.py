from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from services.runtime.http.readiness import Readiness
from services.runtime.telemetry.heartbeat import Heartbeat
from services.runtime.telemetry.metrics import METRICS_MEDIA_TYPE, Metrics

PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})


def operations_router() -> APIRouter:
    """What supervisors and Prometheus read; without a key, so it tells nothing about members."""
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/livez", _livez, methods=["GET"])
    router.add_api_route("/readyz", _readyz, methods=["GET"])
    router.add_api_route("/metrics", _metrics, methods=["GET"])
    return router


async def _livez(request: Request) -> JSONResponse:
    heartbeat: Heartbeat = request.app.state.heartbeat
    status = 200 if heartbeat.alive else 503
    headers = {} if heartbeat.alive else {"Retry-After": "1"}
    document = {
        "alive": heartbeat.alive,
        "loop_delay_ms": round(heartbeat.delay_seconds * 1000),
    }
    return JSONResponse(document, status_code=status, headers=headers)


async def _readyz(request: Request) -> JSONResponse:
    readiness: Readiness = request.app.state.readiness
    report = await readiness.report()
    ready = all(check.ok for check in report.values())
    document = {
        "ready": ready,
        "checks": {name: check.document() for name, check in report.items()},
    }
    return JSONResponse(
        document,
        status_code=200 if ready else 503,
        headers={} if ready else {"Retry-After": "2"},
    )


async def _metrics(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.exposition(), media_type=METRICS_MEDIA_TYPE)
