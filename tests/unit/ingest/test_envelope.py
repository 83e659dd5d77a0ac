import base64
import json
from typing import Any

import pytest

from services.ingest.adapters.envelope import unwrap
from services.ingest.application.refusals import TooLarge, Unreadable
from tests.support.checkouts import NOW, SALE, body, reader, sale, submission

BINARY = {"ce_specversion": "1.0", "ce_id": "anything", "ce_type": "loyalty.checkout.v1", "ce_source": "till"}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}


def event(**changes: Any) -> bytes:
    given = {"specversion": "1.0", "id": "1", "source": "till", "type": "loyalty.checkout.v1", "data": SALE}
    return json.dumps(given | changes).encode()


def code_of(headers: dict[str, str], value: bytes | None) -> str:
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(unwrap(headers, value), NOW)
    return refusal.value.faults[0].code


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        pytest.param(BINARY | {"content-type": "application/json"}, body(SALE), id="binary"),
        pytest.param(BINARY, body(SALE), id="binary without a media type"),
        pytest.param({}, body(SALE), id="bare"),
        pytest.param(STRUCTURED, event(), id="structured"),
    ],
)
def test_a_checkout_is_the_same_in_every_envelope(headers: dict[str, str], value: bytes) -> None:
    assert reader().checkout(unwrap(headers, value), NOW).arrival == submission(SALE).arrival


@pytest.mark.parametrize(
    ("headers", "value", "code"),
    [
        (BINARY, None, "empty"),
        (BINARY | {"ce_specversion": "0.3"}, body(SALE), "unknown_specversion"),
        (BINARY | {"ce_type": "loyalty.checkout.v2"}, body(SALE), "unknown_type"),
        (BINARY | {"content-type": "application/avro"}, body(SALE), "unsupported_media_type"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "unsupported_media_type"),
        (STRUCTURED, event(specversion="0.3"), "unknown_specversion"),
        (STRUCTURED, event(type="com.example.sale"), "unknown_type"),
        (STRUCTURED, event(data=None), "invalid_envelope"),
        (STRUCTURED, event(data=base64.b64encode(body(SALE)).decode()), "invalid_envelope"),
        (STRUCTURED, b"[]", "invalid_envelope"),
        (STRUCTURED, b"{", "invalid_json"),
        (BINARY, b"", "invalid_json"),
        (BINARY, b"\xff\xfe", "invalid_encoding"),
        (BINARY, b'{"source": NaN}', "invalid_json"),
        (BINARY, b'{"a":' * 33 + b"1" + b"}" * 33, "nested_too_deep"),
        (BINARY, body(sale(lines=[{"line": n, "sku": "x", "net": 0} for n in range(1, 502)])), "too_many_lines"),
    ],
)
def test_what_is_no_checkout_is_refused_with_its_reason(
    headers: dict[str, str], value: bytes | None, code: str
) -> None:
    assert code_of(headers, value) == code


def test_a_body_above_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge):
        reader().checkout(b"[" * 262_145, NOW)


def test_a_bad_checkout_still_tells_its_id_where_that_can_be_read() -> None:
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(body(sale(currency="yuan")), NOW)
    assert refusal.value.event_id == submission(SALE).arrival.event_id


def test_a_bad_name_has_no_id() -> None:
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(body(sale(store="?")), NOW)
    assert refusal.value.event_id is None
