import json
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from schemas.checkouts import Checkout
from tests.support.api_keys import FixedKeys, bearer
from tests.support.checkouts import FULL_SALE, LINES, SALE, body, sale, submission
from tests.support.door import Counter, door_app

JSON = {"content-type": "application/json"}


async def post(till: AsyncClient, content: bytes, **headers: str) -> Response:
    return await till.post("/v1/checkouts", content=content, headers=JSON | headers)


async def test_a_checkout_is_published_and_then_answered_with_its_id(till: AsyncClient, counter: Counter) -> None:
    answer = await post(till, body(SALE))
    assert answer.status_code == 202
    assert answer.json() == {"event_id": str(submission(SALE).arrival.event_id), "status": "received"}
    assert [each.terminal for each in counter.published] == ["pos.acme/0457/03"]


async def test_fields_that_nobody_knows_are_kept_out_of_the_topic(till: AsyncClient, counter: Counter) -> None:
    answer = await post(
        till,
        body(
            FULL_SALE | {"colour": "red", "lines": [LINES[0] | {"aisle": 3}, LINES[1]]} | {"tenders": SALE["tenders"]}
        ),
    )
    assert answer.status_code == 202
    published = json.loads(counter.published[0].paper.plain())
    assert "colour" not in published
    assert "aisle" not in published["lines"][0]


async def test_what_is_published_reads_as_what_was_sent(till: AsyncClient, counter: Counter) -> None:
    await post(till, body(FULL_SALE))
    published = Checkout.model_validate_json(counter.published[0].paper.plain(), strict=True)
    assert published == Checkout.model_validate_json(body(FULL_SALE), strict=True)


async def test_all_faults_are_told_at_once(till: AsyncClient) -> None:
    answer = await post(till, body(sale(source="?", currency="yuan", lines=[LINES[0] | {"net": -1}])))
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/source", "/currency", "/lines/0/net"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b'{"source": NaN}', 400, "invalid_json", id="NaN"),
        pytest.param(b'{"source": Infinity}', 400, "invalid_json", id="Infinity"),
        pytest.param(b'{"source": "a"', 400, "invalid_json", id="half a body"),
        pytest.param(b'{"source": "\xff"}', 400, "invalid_encoding", id="not UTF-8"),
        pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, 400, "nested_too_deep", id="deep nesting"),
        pytest.param(b'{"a":' * 50_000, 400, "nested_too_deep", id="very deep nesting"),
        pytest.param(b'{"a": "' + b"x" * 262_144 + b'"}', 413, "body_too_large", id="above 256 KiB"),
        pytest.param(b"", 422, "invalid_request", id="no body"),
        pytest.param(b"[]", 422, "invalid_request", id="a list"),
        pytest.param(b"null", 422, "invalid_request", id="null"),
    ],
)
async def test_a_body_that_cannot_be_read(till: AsyncClient, content: bytes, status: int, code: str) -> None:
    answer = await post(till, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_more_than_500_lines_are_413(till: AsyncClient) -> None:
    lines = [{"line": number, "sku": "x", "net": 0} for number in range(1, 502)]
    answer = await post(till, body(sale(lines=lines)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_lines")


async def test_500_lines_are_taken(till: AsyncClient) -> None:
    lines = [{"line": number, "sku": "x", "net": 1} for number in range(1, 501)]
    answer = await post(till, body(sale(lines=lines, tenders=[{"type": "cash", "amount": 500}])))
    assert answer.status_code == 202


async def test_other_media_types_are_415(till: AsyncClient) -> None:
    answer = await post(till, body(SALE), **{"content-type": "text/plain"})
    assert answer.status_code == 415


async def test_another_currency_than_the_programmes_is_a_fault(till: AsyncClient) -> None:
    answer = await post(till, body(sale(currency="USD")))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/currency", "currency_mismatch")


async def test_before_the_first_programme_any_currency_will_do(till: AsyncClient) -> None:
    answer = await post(till, body(sale(currency="USD", occurred_at="2025-12-31T00:00:00Z")))
    assert answer.status_code == 202


async def test_while_no_programme_is_known_any_currency_will_do(counter: Counter, keys: FixedKeys) -> None:
    key = keys.add("anyone", "checkouts:write", sources=("*",))
    app = door_app(counter, keys, versions=())
    async with AsyncClient(transport=ASGITransport(app), base_url="http://ingest", headers=bearer(key)) as till:
        assert (await post(till, body(sale(currency="USD")))).status_code == 202


async def test_ten_minutes_ahead_is_still_now(till: AsyncClient) -> None:
    assert (await post(till, body(sale(occurred_at="2026-03-11T10:10:00+08:00")))).status_code == 202


async def test_without_a_key_it_is_401(till: AsyncClient) -> None:
    answer = await till.post("/v1/checkouts", json=SALE, headers={"Authorization": ""})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_without_the_scope_is_403(till: AsyncClient, keys: FixedKeys) -> None:
    other = keys.add("reader", "checkouts:read", sources=("pos.acme",))
    answer = await post(till, body(SALE), **bearer(other))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_a_key_for_another_source_is_403(till: AsyncClient, keys: FixedKeys, counter: Counter) -> None:
    other = keys.add("vendor", "checkouts:write", sources=("pos.other",))
    answer = await post(till, body(SALE), **bearer(other))
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"], problem["source"]) == (403, "source_not_allowed", "pos.acme")
    assert not counter.published


async def test_while_kafka_is_away_it_is_503_and_says_when_to_come_again(till: AsyncClient, counter: Counter) -> None:
    counter.away = True
    answer = await post(till, body(SALE))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_the_published_interface_shows_the_whole_checkout(till: AsyncClient) -> None:
    paths = (await till.get("/openapi.json")).json()["paths"]
    shown = paths["/v1/checkouts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(shown["properties"]) == set(Checkout.model_fields)
    assert "$ref" not in json.dumps(shown)
