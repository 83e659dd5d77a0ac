import json
from collections.abc import AsyncIterator

import httpx
import pytest

from services.runtime.http.body import NESTING_LIMIT
from tests.unit.runtime.http.shop import LIMIT_BYTES, STREAM_LIMIT_BYTES, Shop

JSON = {"Content-Type": "application/json"}


async def post(body: bytes, headers: dict[str, str] = JSON) -> httpx.Response:
    async with Shop().client() as client:
        return await client.post("/v1/baskets", content=body, headers=headers)


def nested(levels: int) -> bytes:
    return b'{"extra":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


async def test_a_plain_json_body_reaches_the_route() -> None:
    answer = await post(b'{"lines": [{"net": 1}, {"net": 2}]}')
    assert (answer.status_code, answer.json()) == (200, {"lines": 2})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b'{"extra": NaN}', "invalid_json", id="not a number"),
        pytest.param(b'{"extra": -Infinity}', "invalid_json", id="infinity"),
        pytest.param(b'{"extra": 1e999}', "invalid_json", id="a number that overflows"),
        pytest.param(b'{"extra": ' + b"9" * 3_900 + b".0}", "invalid_json", id="a number with too many digits"),
        pytest.param(b'{"note": ', "invalid_json", id="half a document"),
        pytest.param(b'{"note": "\\ud800"}', "invalid_json", id="half a surrogate pair"),
        pytest.param(b'{"note": "\xff"}', "invalid_encoding", id="not UTF-8"),
        pytest.param(b'{"note": "\\u0000"}', "invalid_text", id="a NUL in text"),
        pytest.param(b'{"extra": {"\\u0000": 1}}', "invalid_text", id="a NUL in a name"),
        pytest.param(nested(NESTING_LIMIT + 1), "nested_too_deep", id="one level too deep"),
        pytest.param(b"[" * 2_000, "nested_too_deep", id="far too deep"),
    ],
)
async def test_a_body_that_a_parser_might_take_too_kindly_is_refused(body: bytes, code: str) -> None:
    answer = await post(body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["type"] == f"urn:loyalty:problem:{code}"


async def test_the_deepest_allowed_body_is_taken() -> None:
    assert (await post(nested(NESTING_LIMIT))).status_code == 200


async def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    frame = len(b'{"note": ""}')
    assert (await post(b'{"note": "%s"}' % (b"x" * (LIMIT_BYTES - frame)))).status_code == 200
    refused = await post(b'{"note": "%s"}' % (b"x" * (LIMIT_BYTES - frame + 1)))
    assert (refused.status_code, refused.json()["limit_bytes"]) == (413, LIMIT_BYTES)


async def test_a_body_that_does_not_announce_its_length_is_counted_as_it_comes() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1_000

    async with Shop().client() as client:
        answer = await client.post("/v1/baskets", content=endless(), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/x-ndjson", ""])
async def test_a_body_of_another_media_type_is_refused(media_type: str) -> None:
    answer = await post(b"{}", {"Content-Type": media_type} if media_type else {})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_json_under_a_name_of_its_own_is_taken() -> None:
    answer = await post(b"{}", {"Content-Type": "application/cloudevents+json; charset=utf-8"})
    assert answer.status_code == 200


async def test_a_compressed_body_is_refused() -> None:
    answer = await post(b"{}", JSON | {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_encoding")


async def test_a_streamed_media_type_is_passed_on_unread_up_to_its_own_limit() -> None:
    lines = b"{}\n{not json\n"
    async with Shop().client() as client:
        taken = await client.post("/v1/lines", content=lines, headers={"Content-Type": "application/x-ndjson"})
        too_long = b"x" * (STREAM_LIMIT_BYTES + 1)
        refused = await client.post("/v1/lines", content=too_long, headers={"Content-Type": "application/x-ndjson"})
    assert taken.json() == {"bytes": len(lines)}
    assert refused.status_code == 413


async def test_a_stream_without_length_ends_at_its_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"{}\n"

    async with Shop().client() as client:
        answer = await client.post("/v1/lines", content=endless(), headers={"Content-Type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_every_fault_is_named_by_a_pointer_into_the_body() -> None:
    answer = await post(json.dumps({"lines": [{"net": 1}, {"net": "x"}, {}], "note": 7}).encode())
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    faults = {(each["pointer"], each["code"]) for each in answer.json()["errors"]}
    assert faults == {("/lines/1/net", "int_parsing"), ("/lines/2/net", "missing"), ("/note", "string_type")}


async def test_a_pointer_leaves_out_the_branch_of_a_union() -> None:
    answer = await post(b'{"tender": {"type": "cash", "amount": "much"}}')
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/tender/amount"]


async def test_a_pointer_to_a_missing_field_inside_a_union_names_the_field() -> None:
    answer = await post(b'{"tender": {"type": "voucher"}}')
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/tender/reference"]


async def test_a_fault_in_the_query_is_named_by_its_parameter() -> None:
    async with Shop().client() as client:
        answer = await client.post("/v1/baskets?copies=many", json={})
    assert [each["pointer"] for each in answer.json()["errors"]] == ["copies"]


async def test_a_missing_body_is_a_fault_of_the_whole() -> None:
    answer = await post(b"")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "")


async def test_a_fault_found_by_the_service_looks_like_one_found_by_the_edge() -> None:
    answer = await post(b'{"note": "unfit"}')
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/note", "code": "unfit", "detail": "say something else"}]
