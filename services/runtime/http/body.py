import math
import re
from collections.abc import Mapping
from email.message import Message as HeaderMessage
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.http.problem import Problem, problem_response

NESTING_LIMIT = 32
Streamed = Mapping[str, Mapping[str, int]]
"""Paths whose routes read some media types by themselves, each with its limit in bytes."""

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_EXPONENT, _LONG_NUMBER = re.compile(rb"[eE](?<=[0-9].)[-+0-9]"), re.compile(rb"[0-9]{300}")


class BodyLimits:
    """Reads JSON bodies before any route does, and refuses what a parser behind it would take too kindly.

    What a path in `streamed` reads by itself (media types, with the limit in bytes of each) is passed on unread,
    counted as it arrives.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, streamed: Streamed) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._streamed = streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _METHODS_WITH_BODY:
            await self._app(scope, receive, send)
            return
        try:
            checked = await self._checked(Headers(scope=scope), receive, self._streamed.get(scope["path"], {}))
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        await self._app(scope, checked, send)

    async def _checked(self, headers: Headers, receive: Receive, streamed: Mapping[str, int]) -> Receive:
        if headers.get("content-encoding", "identity") != "identity":
            raise Problem(
                415,
                "unsupported_content_encoding",
                detail="bodies are taken as they are, not compressed",
            )
        media_type = media_type_of(headers)
        if media_type in streamed:
            return _counted(receive, streamed[media_type], headers)
        _refuse_announced_excess(headers, self._limit_bytes)
        body, disconnect = await _read(receive, self._limit_bytes)
        if disconnect is None and body:
            _check_json(media_type, body)
        return _replayed(body, disconnect, receive)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text; Problem 400 for NaN, infinities, deep nesting, broken UTF-8 and NUL characters."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _unreadable(body, str(error)) from None
    # Looking into every value costs more than reading them all, and hardly any body can hold what is looked for.
    if _may_be_out_of_range(body) or b"\\u0000" in body or body.count(b"{") + body.count(b"[") > NESTING_LIMIT:
        _check_values(value)
    return value


def _may_be_out_of_range(body: bytes) -> bool:
    return bool(_EXPONENT.search(body) or _LONG_NUMBER.search(body))


def _check_json(media_type: str, body: bytes) -> None:
    subtype = media_type.removeprefix("application/")
    if subtype == media_type or not (subtype == "json" or subtype.endswith("+json")):
        raise Problem(415, "unsupported_media_type", detail="send the body as application/json")
    parse_json(body)


def _unreadable(body: bytes, why: str) -> Problem:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return Problem(
            400,
            "invalid_encoding",
            detail=f"the body is not UTF-8 at byte {error.start}",
        )
    if "recursion limit" in why:
        return _too_deep()
    return Problem(400, "invalid_json", detail=why)


def _check_values(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, dict):
            pending.extend((key, depth) for key in item)
            pending.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            pending.extend((child, depth + 1) for child in item)
        elif isinstance(item, float) and not math.isfinite(item):
            raise Problem(400, "invalid_json", detail="a number is out of range")
        elif isinstance(item, str) and "\0" in item:
            raise Problem(400, "invalid_text", detail="text holds a NUL character")
        if isinstance(item, dict | list) and depth > NESTING_LIMIT:
            raise _too_deep()


def _too_deep() -> Problem:
    return Problem(
        400,
        "nested_too_deep",
        detail=f"at most {NESTING_LIMIT} levels",
        extra={"limit": NESTING_LIMIT},
    )


def _too_large(limit_bytes: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        detail=f"at most {limit_bytes} bytes",
        extra={"limit_bytes": limit_bytes},
    )


def _refuse_announced_excess(headers: Headers, limit_bytes: int) -> None:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)


def media_type_of(headers: Headers) -> str:
    message = HeaderMessage()
    message["content-type"] = headers.get("content-type", "")
    return message.get_content_type() if headers.get("content-type") else ""


async def _read(receive: Receive, limit_bytes: int) -> tuple[bytes, Message | None]:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body), message
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise _too_large(limit_bytes)
        more = message.get("more_body", False)
    return bytes(body), None


def _replayed(body: bytes, disconnect: Message | None, receive: Receive) -> Receive:
    held: list[Message] = [disconnect or {"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return held.pop() if held else await receive()

    return replay


def _counted(receive: Receive, limit_bytes: int, headers: Headers) -> Receive:
    _refuse_announced_excess(headers, limit_bytes)
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit_bytes:
            # An HTTPException, as FastAPI turns any other error met while it reads a body into a 400.
            raise HTTPException(413, f"at most {limit_bytes} bytes")
        return message

    return counted
