"""For every field of a checkout: a fault in it is told, by its place, over HTTP and over Kafka alike."""

import pytest
from httpx import AsyncClient

from schemas.checkouts import Checkout
from services.ingest.application.refusals import Unreadable
from tests.support.bad_checkouts import EVERY, PARTS, Bad
from tests.support.checkouts import FULL_SALE, NOW, RETURN, VOID, body, reader
from tests.support.door import Counter

each = pytest.mark.parametrize("bad", EVERY, ids=[bad.name for bad in EVERY])


def test_no_field_of_the_contract_is_without_a_case() -> None:
    top = {bad.pointer.split("/")[1] for bad in EVERY}
    assert top >= set(Checkout.model_fields)
    assert len({bad.pointer for bad in EVERY}) >= sum(len(model.model_fields) for model in PARTS.values())


@pytest.mark.parametrize("good", [FULL_SALE, RETURN, VOID])
def test_what_the_cases_begin_with_is_fine(good: dict[str, object]) -> None:
    assert reader().checkout(body(good), NOW).source == "pos.acme"


@each
async def test_over_http_it_is_422_with_a_pointer(till: AsyncClient, counter: Counter, bad: Bad) -> None:
    answer = await till.post("/v1/checkouts", content=body(bad.checkout), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["pointer"] == bad.pointer
    assert bad.code in (None, error["code"])
    assert not counter.published


@each
def test_over_kafka_it_has_the_same_place_and_reason_and_quotes_no_value(bad: Bad) -> None:
    with pytest.raises(Unreadable) as refusal:
        reader().checkout(body(bad.checkout), NOW)
    (fault,) = refusal.value.faults
    assert fault.pointer == bad.pointer
    assert bad.code in (None, fault.code)
    assert "8800" not in fault.detail
    assert "王芳" not in fault.detail
