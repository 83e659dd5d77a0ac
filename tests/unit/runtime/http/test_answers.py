import json

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from services.runtime.http.problem import PROBLEM_MEDIA_TYPE, Problem
from services.runtime.telemetry.log import configure_logging
from tests.unit.runtime.http.shop import HTTPException, InsufficientCoins, NotReady, ShelfEmpty, Shop, Transient


async def trouble(error: Exception) -> httpx.Response:
    shop = Shop()
    shop.raised = error
    async with shop.client() as client:
        return await client.get("/v1/trouble")


async def test_a_refusal_is_a_conflict_with_its_numbers() -> None:
    answer = await trouble(InsufficientCoins(available=40, required=60))
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:loyalty:problem:insufficient_coins",
        "title": "Insufficient coins",
        "status": 409,
        "code": "insufficient_coins",
        "detail": "too few",
        "available": 40,
        "required": 60,
    }


async def test_a_service_may_give_a_refusal_another_status_and_code() -> None:
    answer = await trouble(ShelfEmpty(shelf="B2"))
    assert (answer.status_code, answer.json()["code"], answer.json()["shelf"]) == (404, "nothing_left", "B2")


async def test_a_refusal_cannot_overwrite_the_standard_members() -> None:
    answer = await trouble(Problem(409, "taken", extra={"status": 200, "code": "fine", "by": "another"}))
    assert (answer.json()["status"], answer.json()["code"], answer.json()["by"]) == (409, "taken", "another")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(Transient("later"), "unavailable", id="transient"),
        pytest.param(NotReady("no programme is known"), "not_ready", id="not ready"),
        pytest.param(ConnectionRefusedError("no database"), "unavailable", id="database away"),
        pytest.param(TimeoutError(), "unavailable", id="time-out"),
        pytest.param(Problem(503, "closed"), "closed", id="said by the service"),
    ],
)
async def test_what_may_pass_is_503_and_says_when_to_come_back(error: Exception, code: str) -> None:
    answer = await trouble(error)
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) > 0


async def test_too_many_requests_says_when_to_come_back() -> None:
    answer = await trouble(HTTPException(429))
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_lock_that_was_not_given_in_time_is_unavailable() -> None:
    class LockNotAvailable(Exception):
        sqlstate = "55P03"

    answer = await trouble(OperationalError("SELECT", {}, LockNotAvailable()))
    assert answer.status_code == 503


async def test_an_unexpected_error_tells_the_caller_nothing_of_its_words() -> None:
    answer = await trouble(RuntimeError("li@example.com"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert "example.com" not in answer.text


async def test_an_unexpected_error_is_logged_with_its_place_and_without_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("shop")
    await trouble(RuntimeError("li@example.com"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    failed = next(line for line in lines if line["event"] == "http_request_failed")
    assert failed["fault"] == "RuntimeError"
    assert any("shop.py" in frame for frame in failed["frames"])
    assert "example.com" not in json.dumps(lines)


async def test_paths_and_methods_that_do_not_exist_are_problems_too() -> None:
    async with Shop().client() as client:
        nowhere = await client.get("/v1/nowhere")
        wrong_method = await client.get("/v1/baskets")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert (wrong_method.status_code, wrong_method.json()["code"]) == (405, "method_not_allowed")
    assert wrong_method.headers["allow"] == "POST"
    assert nowhere.headers["content-type"] == wrong_method.headers["content-type"] == PROBLEM_MEDIA_TYPE


async def test_the_openapi_document_describes_problems() -> None:
    async with Shop().client() as client:
        document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/v1/baskets"]["post"]["responses"]
    assert set(responses) == {"200", "4XX", "5XX"}
    assert PROBLEM_MEDIA_TYPE in responses["4XX"]["content"]
