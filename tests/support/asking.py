"""A client without manners: it sends targets, headers and bodies byte for byte, and judges every answer."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from tests.support.api_worlds import World
from tests.support.odd_requests import (
    HEADER_VALUES,
    MEDIA_TYPES,
    ODD_BODIES,
    TEXTS,
    changed_in_one_place,
    encoded,
    repeated_names,
)

CHANGES = 40
NDJSON = "application/x-ndjson"
T = TypeVar("T")
Operation = APIOperation[Any, Any, Any, Any]


def examples_of(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """The same ones in every run."""
    examples: list[T] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(strategy)
    def collect(example: T) -> None:
        examples.append(example)

    collect()
    return examples


def operations_of(world: World) -> list[Operation]:
    """Every operation of the service's own OpenAPI document."""
    schema = schemathesis.openapi.from_dict(world.running.app.openapi())
    operations = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operations.append(found.ok())
    return operations


@schemathesis.serializer(NDJSON)
def _lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A document says of a body of lines that it is text, which is what may be guessed."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else encoded(value)


@dataclass(frozen=True)
class Ask:
    """A request as it goes over the wire, but for the key."""

    method: str
    target: str
    headers: tuple[tuple[str, str | bytes], ...] = ()
    body: bytes = b""


class Asker:
    """Sends over one connection; `wrong` tells every answer that was a fault, or a refusal that is no problem+json."""

    def __init__(self, world: World) -> None:
        address = urlsplit(world.url)
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
        self._key = world.key
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def ask(self, ask: Ask, *, key: str | None = "") -> int:
        """The status of the answer; `key` None sends none, and the empty one stands for the world's."""
        connection = self._connection
        connection.putrequest(ask.method, ask.target, skip_accept_encoding=True)
        if key is not None:
            connection.putheader("Authorization", f"Bearer {key or self._key}")
        for name, value in (*ask.headers, ("Content-Length", str(len(ask.body)))):
            connection.putheader(name, value)
        connection.endheaders(ask.body)
        with connection.getresponse() as answer:
            self._judge(ask, answer.status, answer.getheader("content-type", ""), answer.read())
            return answer.status

    def _judge(self, ask: Ask, status: int, media_type: str, body: bytes) -> None:
        if media_type == NDJSON:
            is_wrong = any(json.loads(line)["status"] >= 500 for line in body.splitlines())
        else:
            problem = json.loads(body) if media_type == "application/problem+json" else {}
            is_wrong = status >= 400 and (status >= 500 or problem.get("status") != status or not problem.get("code"))
        if is_wrong:
            shown = f"{ask.method} {ask.target[:200]} {ask.headers} {ask.body[:300]!r}"
            self.wrong.append(f"{status} {media_type} {body[:200]!r} is the answer to {shown}")


class OddAsks:
    """What may be asked of one operation that nobody should ask of it; `world` says what leads somewhere."""

    def __init__(self, operation: Operation, world: World) -> None:
        self._operation = operation
        self._world = world
        self._media_types = [body.media_type for body in operation.body]
        self._numbers = itertools.count()

    def all(self) -> Iterator[Ask]:
        yield from self._odd_parameters()
        yield from self._odd_headers()
        if self._media_types:
            yield from self._odd_bodies()
            yield from self._changed_bodies()

    def plain(self) -> Ask:
        """What should be asked, or nearly: the body may be refused."""
        media_type = self._media_types[0] if self._media_types else ""
        return self._ask(media_type, self._accepted()[0] if media_type else None)

    def _odd_parameters(self) -> Iterator[Ask]:
        plain = self.plain()
        for parameter in (*self._operation.path_parameters, *self._operation.query):
            for value in TEXTS:
                yield Ask(plain.method, self._target({parameter.name: value}), self._headers(), plain.body)

    def _odd_headers(self) -> Iterator[Ask]:
        plain = self.plain()
        for parameter in self._operation.headers:
            others = tuple(each for each in plain.headers if each[0] != parameter.name)
            for value in HEADER_VALUES:
                yield Ask(plain.method, plain.target, (*others, (parameter.name, value)), plain.body)

    def _odd_bodies(self) -> Iterator[Ask]:
        for media_type in self._media_types:
            for body in ODD_BODIES:
                yield self._ask(media_type, body)
        for media_type in MEDIA_TYPES:
            yield self._ask(media_type, self._accepted()[0])

    def _changed_bodies(self) -> Iterator[Ask]:
        chance = Random(self._operation.label)
        for body in self._accepted():
            yield self._ask(self._media_types[0], repeated_names(body))
        for media_type in self._media_types:
            for number in range(CHANGES):
                body = chance.choice(self._accepted())
                yield self._ask(media_type, changed_in_one_place(body, chance), number)

    def _accepted(self) -> list[Any]:
        bodies = self._world.bodies.get(self._operation.label)
        return list(bodies) if bodies is not None else _generated_bodies(self._operation)

    def _ask(self, media_type: str, body: Any, number: int = 0) -> Ask:
        if body is None:
            sent = b""
        elif isinstance(body, bytes):
            sent = body
        else:
            sent = encoded(body) + (b"\n" if media_type == NDJSON else b"")
        target = self._target({}, number)
        return Ask(self._operation.method.upper(), target, self._headers(media_type), sent)

    def _headers(self, media_type: str = "") -> tuple[tuple[str, str | bytes], ...]:
        headers = [(each.name, f"odd-{next(self._numbers)}") for each in self._operation.headers if each.is_required]
        return (*headers, ("Content-Type", media_type or (self._media_types or [""])[0]))

    def _target(self, odd: dict[str, str], number: int = 0) -> str:
        known = self._world.known[number % len(self._world.known)] | odd if self._world.known else odd
        path = str(self._operation.path)
        for parameter in self._operation.path_parameters:
            path = path.replace(f"{{{parameter.name}}}", _quoted(known.get(parameter.name, "x")))
        asked = [each.name for each in self._operation.query if each.is_required or each.name in odd]
        query = "&".join(f"{name}={_quoted(known.get(name, 'x'))}" for name in asked)
        return path + (f"?{query}" if query else "")


def _generated_bodies(operation: Operation) -> list[Any]:
    """What a description alone lets one guess."""
    guesses = [case.body for case in examples_of(operation.as_strategy(), 4)]
    return [{}, *(body for body in guesses if isinstance(body, dict))]


def _quoted(value: str) -> str:
    return value if "%" in value else quote(value, safe="")
