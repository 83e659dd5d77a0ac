import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

_FRAMES_KEPT = 12
# Others may repeat the value that was wrong.
_OWN_WORDS = (AssertionError, OSError)
_OWN_ROOMS = ("services.", "schemas.")
_QUIET = {
    "aiokafka": logging.WARNING,
    "uvicorn": logging.WARNING,
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
}


def configure_logging(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """JSON lines of event name and fields; lines of third-party libraries take the same form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _with_service(service),
        _with_fault,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(shared, level, stream or sys.stderr)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound


def describe(error: BaseException) -> str:
    """An exception in one line without the values that made it fail: those may be somebody's data."""
    name = type(error).__name__
    if isinstance(error, DBAPIError):
        return f"{name}: {type(error.orig).__name__} {getattr(error.orig, 'sqlstate', '') or ''}".rstrip()
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return f"{name}: " + "; ".join(f"{'/'.join(map(str, each['loc']))} {each['type']}" for each in faults[:5])
    if isinstance(error, BaseExceptionGroup):
        return f"{name}: " + "; ".join(describe(each) for each in error.exceptions)
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate:
        return f"{name} {sqlstate}"
    is_ours = isinstance(error, _OWN_WORDS) or type(error).__module__.startswith(_OWN_ROOMS)
    return f"{name}: {error}" if is_ours and str(error) else name


def _route_standard_logging(shared: list[structlog.types.Processor], level: str, stream: TextIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, quiet_level in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet_level, root.level))


def _with_service(service: str) -> structlog.types.Processor:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _with_fault(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    error = _error_of(event.pop("exc_info", None))
    if error is not None:
        event["fault"] = describe(error)
        event["frames"] = _frames(error)
    return event


def _error_of(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _frames(error: BaseException) -> list[str]:
    kept = traceback.extract_tb(error.__traceback__)[-_FRAMES_KEPT:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in kept]
