"""Publishing over HTTP, on a real database."""

import asyncio
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.support.programmes import EXAMPLE, SMALL, as_yaml
from tests.support.running_services import RunningService

YAML = {"Content-Type": "application/yaml"}


async def publish(
    service: RunningService,
    document: dict[str, Any],
    *,
    replaces: int | None = None,
    key: str = "k",
    headers: dict[str, str] | None = None,
) -> Response:
    return await service.client.post(
        "/v1/programme/versions",
        content=as_yaml(document),
        params={"replaces": replaces} if replaces is not None else {},
        headers=YAML | {"Idempotency-Key": key} | (headers or {}),
    )


async def test_the_example_becomes_version_1(service: RunningService) -> None:
    headers = YAML | {"Idempotency-Key": "example"}
    answer = await service.client.post("/v1/programme/versions", content=EXAMPLE.read_bytes(), headers=headers)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["version"], body["starts_at"], body["published_by"]) == (1, "2025-12-31T16:00:00Z", "ann")
    assert body["starts_at_is_final"] is True
    assert answer.headers["Location"] == "/v1/programme/versions/1"


async def test_json_is_taken_as_well(service: RunningService) -> None:
    answer = await service.client.post("/v1/programme/versions", json=SMALL, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201


async def test_a_version_must_name_the_one_it_replaces(service: RunningService) -> None:
    assert (await publish(service, SMALL, key="1")).status_code == 201
    second = SMALL | {"version": 2}
    refused = await publish(service, second, replaces=0, key="2")
    assert refused.status_code == 409
    assert {name: refused.json()[name] for name in ("code", "replaces", "newest")} == {
        "code": "version_replaced",
        "replaces": 0,
        "newest": 1,
    }
    assert (await publish(service, second, key="3", headers={"If-Match": '"1"'})).status_code == 201


async def test_replaces_and_if_match_must_not_contradict(service: RunningService) -> None:
    answer = await publish(service, SMALL, replaces=0, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "contradiction"


async def test_a_programme_with_errors_is_refused_with_all_of_them(service: RunningService) -> None:
    answer = await publish(service, SMALL | {"currency": "CNX", "colour": 1})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_programme"
    (unknown,) = answer.json()["errors"]
    assert (unknown["path"], unknown["code"], unknown["pointer"]) == ("colour", "unknown_field", "/colour")
    assert unknown["line"] > 1
    assert (await service.client.get("/v1/programme/versions")).json() == {"versions": []}


async def test_the_same_key_gets_the_first_answer(service: RunningService) -> None:
    first = await publish(service, SMALL, key="same")
    again = await publish(service, SMALL, key="same")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    other = await publish(service, SMALL | {"programme": "other"}, key="same")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_refusal_is_not_remembered(service: RunningService) -> None:
    assert (await publish(service, SMALL | {"version": 2}, replaces=1, key="same")).status_code == 409
    assert (await publish(service, SMALL, replaces=0, key="first")).status_code == 201
    assert (await publish(service, SMALL | {"version": 2}, replaces=1, key="same")).status_code == 201


async def test_of_two_at_once_one_is_the_next_version(service: RunningService) -> None:
    answers = await asyncio.gather(*(publish(service, SMALL, key=str(n)) for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


async def test_one_key_at_once_gets_one_answer(service: RunningService) -> None:
    answers = await asyncio.gather(*(publish(service, SMALL, key="same") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


async def test_versions_are_listed_and_read_whole(service: RunningService) -> None:
    await publish(service, SMALL, key="1")
    await publish(service, SMALL | {"version": 2, "effective_from": "2199-01-01T00:00:00Z"}, replaces=1, key="2")
    listed = (await service.client.get("/v1/programme/versions")).json()["versions"]
    assert [(version["version"], version["in_force"]) for version in listed] == [(1, True), (2, False)]
    current = await service.client.get("/v1/programme/versions/current")
    assert (current.json()["version"], current.headers["ETag"]) == (1, '"1"')
    second = (await service.client.get("/v1/programme/versions/2")).json()
    assert second["document"]["units"]["points"]["on_clawback"] == "debt"


async def test_what_is_not_there_is_404(service: RunningService) -> None:
    for path in ("current", "1", "0", "99999999999999999999"):
        answer = await service.client.get(f"/v1/programme/versions/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "version_not_found"


async def test_checking_tells_errors_and_warnings_and_publishes_nothing(service: RunningService) -> None:
    text = as_yaml(SMALL | {"currency": "CNX", "campaigns": []})
    answer = await service.client.post("/v1/programme:check", content=text, headers=YAML)
    assert answer.status_code == 200
    body = answer.json()
    assert body["publishable"] is False
    assert [each["code"] for each in body["errors"]] == ["unknown_currency"]
    assert [each["code"] for each in body["warnings"]] == ["template_unused"]
    assert set(body["errors"][0]) == {"path", "pointer", "line", "code", "message", "remedy"}


async def test_checking_compares_with_the_newest_version(service: RunningService) -> None:
    await publish(service, SMALL)
    answer = await service.client.post("/v1/programme:check", json=SMALL | {"version": 5})
    assert [each["code"] for each in answer.json()["errors"]] == ["version_not_next"]


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"a: 1", "text/plain", 415),
        (b" " * (1024 * 1024 + 1), "application/yaml", 413),
        (b'{"a": ', "application/json", 400),
        (b"\xff", "application/yaml", 200),
    ],
)
async def test_bodies_that_are_no_programme(
    service: RunningService, content: bytes, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type}
    answer = await service.client.post("/v1/programme:check", content=content, headers=headers)
    assert answer.status_code == status, answer.text


async def test_reading_and_publishing_are_different_rights(service: RunningService) -> None:
    reader = await service.client_with("programme:read")
    assert (await service.client.get("/v1/programme/versions", headers=reader)).status_code == 200
    assert (await publish(service, SMALL, headers=reader)).status_code == 403
    nobody = await service.client.get("/v1/programme/versions", headers={"Authorization": "Bearer lk_x_y"})
    assert nobody.status_code == 401


async def test_publishing_needs_an_idempotency_key(service: RunningService) -> None:
    answer = await service.client.post("/v1/programme/versions", json=SMALL)
    assert answer.status_code == 422


@pytest.mark.parametrize("statement", ["UPDATE version SET version = 7", "DELETE FROM version"])
async def test_a_published_version_cannot_be_changed_by_the_service(service: RunningService, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with service.context.database.begin() as uow:
            await uow.connection.execute(text(statement))
