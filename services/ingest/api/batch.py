"""`POST /v1/checkouts:batch`: what a store that was offline has kept, a checkout per line, a result per line."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.ingest.api.bodies import BATCH_ANSWER, BATCH_BODY, NDJSON
from services.ingest.api.door import Door
from services.ingest.application.ports import Submission
from services.runtime.errors import Transient
from services.runtime.http.app import BODY_LIMIT_BYTES
from services.runtime.http.auth import Principal, require
from services.runtime.http.body import media_type_of, parse_json
from services.runtime.http.problem import RETRY_AFTER_SECONDS, Problem, problem_document

PATH = "/checkouts:batch"
LINES_MAX = 1_000
BATCH_BYTES_MAX = 8 * 1024 * 1024
GROUP_LINES, GROUP_BYTES = 100, 512 * 1024
"""Read, published and then forgotten together."""

BOM = b"\xef\xbb\xbf"
LINE_BYTES_KEPT = BODY_LIMIT_BYTES + len(BOM + b"\r")
STREAMED = {f"/v1{PATH}": {NDJSON: BATCH_BYTES_MAX}}


def add_batch(router: APIRouter, door: Door) -> None:
    @router.post(PATH, openapi_extra=BATCH_BODY, responses=BATCH_ANSWER, response_class=Response)
    async def send_batch(request: Request, principal: Annotated[Principal, require("checkouts:write")]) -> Response:
        """One result per line that is not empty, in order. A faulty line stops no other; sending all of it again
        is always safe."""
        if media_type_of(request.headers) != NDJSON:
            raise Problem(415, "unsupported_media_type", detail=f"send one checkout per line, as {NDJSON}")
        batch = _Batch(door, principal)
        async for group in _groups(_limited(_lines(request))):
            await batch.take(group)
        return Response(b"".join(batch.results), media_type=NDJSON)


@dataclass(frozen=True, slots=True)
class _Line:
    """Numbered from 1, empty ones too; `problem` where it was not read to its end, or was the last that fits."""

    number: int
    text: bytes
    problem: Problem | None = None


@dataclass(slots=True)
class _Batch:
    door: Door
    principal: Principal
    results: list[bytes] = field(default_factory=list)
    outage: Problem | None = None

    async def take(self, lines: Sequence[_Line]) -> None:
        read = [(line, await self._read(line)) for line in lines]
        await self._publish([each for _, each in read if not isinstance(each, Problem)])
        self.results += [self._result(line, each) for line, each in read]

    async def _read(self, line: _Line) -> Submission | Problem:
        if line.problem is not None:
            return line.problem
        try:
            parse_json(line.text)
            return await self.door.checkout(line.text, self.principal)
        except Problem as problem:
            return problem

    async def _publish(self, submissions: Sequence[Submission]) -> None:
        # Once the broker is away the rest is not tried: each attempt would keep the store waiting for its time-out.
        if self.outage is not None or not submissions:
            return
        try:
            await self.door.publish(submissions)
        except Transient:
            detail = "the broker has not acknowledged it; send this line and those after it again"
            self.outage = Problem(503, "unavailable", detail=detail, extra={"retry_after_seconds": RETRY_AFTER_SECONDS})

    def _result(self, line: _Line, read: Submission | Problem) -> bytes:
        problem = read if isinstance(read, Problem) else self.outage
        told: dict[str, Any] = {"line": line.number}
        if not isinstance(read, Problem):
            told["event_id"] = str(read.arrival.event_id)
        told |= problem_document(problem) if problem is not None else {"status": 202}
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


async def _groups(lines: AsyncIterator[_Line]) -> AsyncIterator[Sequence[_Line]]:
    group: list[_Line] = []
    size = 0
    async for line in lines:
        group.append(line)
        size += len(line.text)
        if len(group) == GROUP_LINES or size > GROUP_BYTES:
            yield group
            group, size = [], 0
    yield group


async def _limited(lines: AsyncIterator[_Line]) -> AsyncIterator[_Line]:
    taken = 0
    async for line in lines:
        taken += 1
        if taken <= LINES_MAX:
            yield line
        elif taken == LINES_MAX + 1:
            # What follows is read all the same, and dropped: a client listens once it has sent everything.
            limit = f"at most {LINES_MAX} lines; this one and what follows was not taken"
            yield _Line(line.number, b"", _too_large("too_many_lines", limit))


async def _lines(request: Request) -> AsyncIterator[_Line]:
    splitter = _Splitter()
    try:
        async for chunk in request.stream():
            for line in splitter.split(chunk):
                yield line
    except HTTPException:
        limit = f"at most {BATCH_BYTES_MAX} bytes in a batch; this line and what follows was not taken"
        yield _Line(splitter.number, b"", _too_large("batch_too_large", limit))
    except ClientDisconnect:
        # Nobody waits for the answer, and the line that was cut off is none.
        return
    else:
        for line in splitter.end():
            yield line


class _Splitter:
    """Never holds more than one line of the longest kind; `number` is that of the line it is in."""

    def __init__(self) -> None:
        self.number = 1
        self._text = bytearray()
        self._size = 0

    def split(self, chunk: bytes) -> Iterator[_Line]:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._add(part)
            yield from self.end()
        self._add(rest)

    def end(self) -> Iterator[_Line]:
        number, text, size = self.number, bytes(self._text), self._size
        self.number, self._size = number + 1, 0
        self._text.clear()
        text = text.removeprefix(BOM) if number == 1 else text
        if size > LINE_BYTES_KEPT:
            limit = f"at most {BODY_LIMIT_BYTES} bytes in a line"
            yield _Line(number, b"", _too_large("body_too_large", limit))
        elif text := text.strip():
            yield _Line(number, text)

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= LINE_BYTES_KEPT:
            self._text += part


def _too_large(code: str, detail: str) -> Problem:
    return Problem(413, code, detail=detail)
