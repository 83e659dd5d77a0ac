"""Versions on the topic `programme`, on a real broker."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from schemas.programme import PROGRAMME_V1, ProgrammePublished
from services.runtime.errors import HaltError
from tests.support.programmes import SMALL, as_yaml
from tests.support.running_services import RunningService, eventually


async def publish(service: RunningService, document: dict[str, Any], replaces: int) -> None:
    answer = await service.client.post(
        "/v1/programme/versions",
        content=as_yaml(document),
        params={"replaces": replaces},
        headers={"Content-Type": "application/yaml", "Idempotency-Key": str(replaces)},
    )
    assert answer.status_code == 201, answer.text


async def version(service: RunningService, number: int) -> dict[str, Any]:
    answer = await service.client.get(f"/v1/programme/versions/{number}")
    body: dict[str, Any] = answer.json()
    return body


async def test_versions_reach_the_topic_in_order_and_come_back_with_their_start(
    service_on_kafka: RunningService,
) -> None:
    service = service_on_kafka
    await publish(service, SMALL, 0)
    await publish(service, SMALL | {"version": 2, "currency": "CNY"}, 1)
    assert (await version(service, 2))["starts_at_is_final"] is False
    async with service.working():
        first, second = await service.until_published("programme", 2)

        async def known() -> bool:
            return bool((await version(service, 2))["starts_at_is_final"])

        await eventually(known)
    assert (first.key, first.headers["ce_type"], first.headers["ce_id"]) == ("programme", PROGRAMME_V1, "programme/1")
    published = ProgrammePublished.model_validate_json(second.value or b"")
    assert (published.version, published.document.version) == (2, 2)
    starts_at = datetime.fromisoformat((await version(service, 2))["starts_at"])
    assert starts_at == second.appended_at + timedelta(minutes=15)


async def test_an_emptied_database_is_behind_its_topic(service_on_kafka: RunningService) -> None:
    service = service_on_kafka
    await publish(service, SMALL, 0)
    async with service.working():
        await service.until_published("programme", 1)
    await service.check_guard()
    async with service.owner.begin() as uow:
        await uow.connection.execute(text("DELETE FROM programme.version"))
    with pytest.raises(HaltError, match="behind its topic `programme`"):
        await service.check_guard()
