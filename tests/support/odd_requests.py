"""Requests that nobody should send: values, bodies and headers at which parsers, clocks and databases stumble."""

import copy
import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

LEAVES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    float("nan"),
    float("inf"),
    1e308,
    "",
    " ",
    "0",
    "-1",
    "NaN",
    "1e400",
    "١٢٣",
    "²",
    "a\0b",
    "\ud800",
    "\U0001f600" * 60,
    "\u202e\ufeff",
    "x" * 300,
    "x" * 100_000,
    "/" * 40,
    "a//b",
    "%00",
    "../..",
    "UTC\0",
    "../../etc/passwd",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30T00:00:00Z",
    "2026-06-10T24:00:00Z",
    "2026-06-10T00:00:00",
    "1970-01-01T00:00:00+14:00",
    "2200-12-31T23:59:59-14:00",
    "0000-00-00",
    "9999-12-31",
    "P99999999999999999999999Y",
    "PT",
    "P1M\n",
    "00000000-0000-0000-0000-000000000000",
    "urn:uuid:00000000-0000-0000-0000-000000000001",
    "999999999.999999",
    [],
    {},
    [[]],
    {"": ""},
    {"\0": 1},
    ["\ud800"] * 600,
    {f"k{number}": number for number in range(60)},
)
"""Put in the place of any part of a body that was accepted."""

TEXTS: tuple[str, ...] = (
    *(leaf for leaf in LEAVES if isinstance(leaf, str) and leaf and len(leaf) < 1000 and leaf != "\ud800"),
    "null",
    "true",
    "1_000",
    "+1",
    "1.0",
    "99999999999999999999",
    "{00000000-0000-0000-0000-000000000001}",
    "1749600000",
    "1e18",
    "2026-06-10T00:00:00+99:99",
    "２",
    "%ED%A0%80",
    "%FF",
    ";",
    "*",
)
"""Values of path, query and header parameters."""

HEADER_VALUES: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\xff\xfe",
    "键".encode(),
    b"k" * 255,
    b"k" * 256,
    b"k" * 8000,
    b"a\tb",
    b'"',
)

ODD_BODIES: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b'""',
    b"0",
    b"{",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"\xed\xa0\x80",
    b"NaN",
    b"-Infinity",
    b"[" * 33 + b"]" * 33,
    b"[" * 100_000,
    b'{"a":' * 40 + b"1" + b"}" * 40,
    b"1" * 5000,
    b'{"kind": 1' + b"0" * 5000 + b"}",
    b'{"\\ud800": 1}',
    b'{"a": "\\u0000"}',
    b'{"a": 1e999}',
    b"{}\n{}\n",
    b"\n\n\n",
    b"a=1&b=2",
    b"&a [*a, *a]",
    b"a: &a [*a]",
    b"!!python/object/apply:os.system ['true']",
    b"a: !!binary x",
    b"? [a]\n: b",
    b"a: 0000-00-00",
    b"- " * 5000,
    b"x" * 300_000,
)
"""Bodies of any media type."""

UNSERVED_TARGETS = (
    "/",
    "//",
    "/%00",
    "/%FF",
    "/v1",
    "/v1/",
    "/v1/members/%2e%2e%2fmetrics",
    "/v1/members//tier",
    "/v1/checkouts%3Abatch%00",
    "/livez/",
    "/openapi.json%20",
    "/?" + "a=1&" * 2000,
    "/" + "x" * 20_000,
)

MEDIA_TYPES = (
    "application/json",
    "application/x-ndjson",
    "application/yaml",
    "application/merge-patch+json",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
    "a",
    "/",
    "application/json; =",
    "application/json; charset*=%00",
    "=?utf-8?q?a?=",
    "",
)


def encoded(body: Any) -> bytes:
    """With escapes for lone surrogates, and with NaN, which is no JSON, as most writers write it."""
    return json.dumps(body).encode()


def repeated_names(body: Mapping[str, Any]) -> bytes:
    """An object in which every name stands twice."""
    once = encoded(body)
    return once[:-1] + b", " + once[1:] if body else once


def changed_in_one_place(body: Any, chance: Random) -> Any:
    """The same body with one part replaced, left out or joined by a part that nobody knows."""
    place, leaf = chance.choice(list(_places(body))), chance.choice(LEAVES)
    return _changed(body, place, leaf, chance.choice(("replace", "replace", "replace", "remove", "add")))


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from _places(child, (*path, name))


def _changed(body: Any, path: tuple[Any, ...], leaf: Any, way: str) -> Any:
    if not path:
        return leaf
    changed = copy.deepcopy(body)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    if way == "remove":
        del parent[path[-1]]
    elif way == "add" and isinstance(parent, dict):
        parent["added"] = leaf
    else:
        parent[path[-1]] = leaf
    return changed
