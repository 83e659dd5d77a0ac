"""A store that was offline sends what it has kept: a line, a result."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from services.ingest.api.batch import BATCH_BYTES_MAX, GROUP_LINES, LINES_MAX
from tests.support.api_keys import FixedKeys, bearer
from tests.support.checkouts import body, sale, submission
from tests.support.door import Counter

NDJSON = {"content-type": "application/x-ndjson"}
LINE_BYTES_MAX = 262_144


async def send(till: AsyncClient, content: bytes | AsyncIterator[bytes], **headers: str) -> Response:
    return await till.post("/v1/checkouts:batch", content=content, headers=NDJSON | headers)


async def results(till: AsyncClient, content: bytes | AsyncIterator[bytes], **headers: str) -> list[dict[str, Any]]:
    answer = await send(till, content, **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def lines(*numbers: int) -> bytes:
    return b"".join(body(sale(sequence=number)) + b"\n" for number in numbers)


def said(told: list[dict[str, Any]]) -> list[tuple[int, int, str | None]]:
    return [(each["line"], each["status"], each.get("code")) for each in told]


def padded(length: int) -> bytes:
    """A good line of exactly so many bytes."""
    line = body(sale(attributes={"note": ""}))
    return line.replace(b'"note": ""', b'"note": "%s"' % (b"x" * (length - len(line))))


async def test_each_line_is_published_and_answered_in_order(till: AsyncClient, counter: Counter) -> None:
    told = await results(till, lines(3, 1, 2))
    expected = [str(submission(sale(sequence=number)).arrival.event_id) for number in (3, 1, 2)]
    assert told == [
        {"line": line, "event_id": event_id, "status": 202} for line, event_id in enumerate(expected, start=1)
    ]
    assert [str(each.arrival.event_id) for each in counter.published] == expected


async def test_a_faulty_line_stops_no_other(till: AsyncClient, counter: Counter) -> None:
    faulty = [
        b"{",
        b'{"source": "\xff"}',
        b'{"source": NaN}',
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[]",
        body(sale(rounding=7)),
        body(sale(currency="USD")),
        body(sale(source="pos.other")),
        body(sale(lines=[{"line": number, "sku": "x", "net": 0} for number in range(1, 502)])),
        b'"' + b"x" * LINE_BYTES_MAX + b'"',
    ]
    told = await results(till, lines(1) + b"".join(line + b"\n" for line in faulty) + lines(2))
    assert said(told) == [
        (1, 202, None),
        (2, 400, "invalid_json"),
        (3, 400, "invalid_encoding"),
        (4, 400, "invalid_json"),
        (5, 400, "nested_too_deep"),
        (6, 422, "invalid_request"),
        (7, 422, "invalid_request"),
        (8, 422, "invalid_request"),
        (9, 403, "source_not_allowed"),
        (10, 413, "too_many_lines"),
        (11, 413, "body_too_large"),
        (12, 202, None),
    ]
    assert [error["pointer"] for error in told[6]["errors"]] == ["/tenders"]
    assert told[8]["type"] == "urn:loyalty:problem:source_not_allowed"
    assert len(counter.published) == 2


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        pytest.param(lines(1) + b"\n  \r\n" + lines(2), [1, 4], id="empty lines are skipped and counted"),
        pytest.param(lines(1, 2).replace(b"\n", b"\r\n"), [1, 2], id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + lines(1, 2), [1, 2], id="a byte order mark"),
        pytest.param(lines(1, 2).rstrip(), [1, 2], id="no newline at the end"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\xef\xbb\xbf" + padded(LINE_BYTES_MAX) + b"\r\n", [1], id="a line of just the limit"),
    ],
)
async def test_what_files_look_like(till: AsyncClient, counter: Counter, content: bytes, numbers: list[int]) -> None:
    assert said(await results(till, content)) == [(number, 202, None) for number in numbers]
    assert len(counter.published) == len(numbers)


async def test_a_last_line_that_was_cut_off_is_a_fault_of_that_line(till: AsyncClient, counter: Counter) -> None:
    assert said(await results(till, lines(1, 2)[:-20])) == [(1, 202, None), (2, 400, "invalid_json")]
    assert len(counter.published) == 1


async def test_a_line_may_come_in_pieces(till: AsyncClient) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for byte in "\ufeff".encode() + lines(1, 2).replace(b"latte-l", "拿铁".encode()):
            yield bytes([byte])

    assert said(await results(till, trickle())) == [(1, 202, None), (2, 202, None)]


async def test_more_lines_than_the_limit_are_told_and_not_taken(till: AsyncClient, counter: Counter) -> None:
    told = await results(till, b"\n" + lines(*range(LINES_MAX + 3)))
    assert said(told)[-2:] == [(LINES_MAX + 1, 202, None), (LINES_MAX + 2, 413, "too_many_lines")]
    assert len(told) == LINES_MAX + 1
    assert len(counter.published) == LINES_MAX


async def test_a_batch_that_announces_too_many_bytes_is_refused_at_once(till: AsyncClient, counter: Counter) -> None:
    answer = await send(till, lines(1) + b" " * BATCH_BYTES_MAX)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not counter.published


async def test_a_batch_that_turns_out_too_large_says_from_which_line_on(till: AsyncClient, counter: Counter) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield lines(1)
        while True:
            yield b"\n" + b" " * 65_536

    told = await results(till, endless())
    assert said(told)[0] == (1, 202, None)
    assert [code for _, status, code in said(told) if status == 413] == ["batch_too_large"]
    assert len(counter.published) == 1


async def test_while_the_broker_is_away_nothing_is_acknowledged_and_the_rest_not_tried(
    till: AsyncClient, counter: Counter
) -> None:
    counter.limit = GROUP_LINES
    content = lines(*range(GROUP_LINES * 2)) + b"{\n" + lines(*range(GROUP_LINES))
    told = await results(till, content)
    statuses = [each["status"] for each in told]
    assert statuses == [202] * GROUP_LINES + [503] * GROUP_LINES + [400] + [503] * GROUP_LINES
    assert (told[-1]["code"], told[-1]["retry_after_seconds"] > 0) == ("unavailable", True)
    assert told[-1]["event_id"] == told[GROUP_LINES - 1]["event_id"]
    assert len(counter.published) == GROUP_LINES


async def test_other_media_types_are_415_here_and_lines_are_415_elsewhere(till: AsyncClient) -> None:
    one = body(sale())
    assert (await send(till, one, **{"content-type": "application/json"})).status_code == 415
    assert (await send(till, one, **{"content-type": "text/csv"})).status_code == 415
    assert (await till.post("/v1/checkouts", content=one, headers=NDJSON)).status_code == 415


async def test_a_batch_needs_the_scope_and_a_key(till: AsyncClient, keys: FixedKeys) -> None:
    other = keys.add("reader", "checkouts:read", sources=("pos.acme",))
    assert (await send(till, lines(1), **bearer(other))).status_code == 403
    assert (await send(till, lines(1), Authorization="")).status_code == 401


async def test_a_client_that_goes_away_has_sent_what_was_whole(
    shared_door: tuple[FastAPI, Counter, FixedKeys], counter: Counter, keys: FixedKeys
) -> None:
    app, _, _ = shared_door
    key = keys.add("till", "checkouts:write", sources=("pos.acme",))
    arriving = [
        {"type": "http.request", "body": lines(1) + body(sale(sequence=2)), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return arriving.pop(0)

    async def heard_by_nobody(_message: Any) -> None:
        return None

    headers = [(name.encode(), value.encode()) for name, value in (NDJSON | bearer(key)).items()]
    headers = [(name.lower(), value) for name, value in headers]
    scope = {"type": "http", "method": "POST", "path": "/v1/checkouts:batch", "headers": headers, "query_string": b""}
    await app(scope | {"http_version": "1.1", "scheme": "http", "root_path": ""}, receive, heard_by_nobody)
    assert [each.paper.plain() for each in counter.published] == [submission(sale(sequence=1)).paper.plain()]


async def test_the_published_interface_shows_lines_in_and_lines_out(till: AsyncClient) -> None:
    shown = (await till.get("/openapi.json")).json()["paths"]["/v1/checkouts:batch"]["post"]
    assert list(shown["requestBody"]["content"]) == ["application/x-ndjson"]
    assert list(shown["responses"]["200"]["content"]) == ["application/x-ndjson"]
