import asyncio
import json

import pytest

from services.runtime.http import readiness as readiness_module
from services.runtime.http.readiness import Check
from services.runtime.telemetry.log import configure_logging
from tests.unit.runtime.http.shop import Shop


async def test_a_process_whose_checks_are_fine_is_ready() -> None:
    shop = Shop()
    shop.readiness.add("database", _fine)
    async with shop.client() as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": {"ok": True}, "guard": {"ok": True}}}


async def test_one_bad_check_makes_it_unready_and_says_why() -> None:
    shop = Shop()
    shop.readiness.add("database", _fine)
    shop.readiness.add("migrations", _behind)
    async with shop.client() as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert answer.json()["checks"]["migrations"] == {"ok": False, "detail": "behind", "remedy": "migrate", "by": 2}


async def test_a_check_that_hangs_is_a_bad_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness_module, "CHECK_TIMEOUT_SECONDS", 0.01)
    shop = Shop()
    shop.readiness.add("database", _hanging)
    async with shop.client() as client:
        answer = await client.get("/readyz")
    assert answer.json()["checks"]["database"]["ok"] is False


async def test_while_the_gate_is_shut_commands_are_turned_away_with_sentence_and_remedy() -> None:
    shop = Shop()
    shop.readiness.shut("this database is behind its topic `coins`", "shop rebuild")
    async with shop.client() as client:
        command = await client.post("/v1/baskets", json={})
        ready = await client.get("/readyz")
        alive = await client.get("/livez")
    assert command.status_code == ready.status_code == 503
    assert command.json()["code"] == "not_ready"
    assert command.json()["remedy"] == ready.json()["checks"]["guard"]["remedy"] == "shop rebuild"
    assert "retry-after" in command.headers
    assert alive.status_code == 200


async def test_once_the_gate_opens_commands_are_taken() -> None:
    shop = Shop()
    shop.readiness.shut("starting")
    shop.readiness.open()
    async with shop.client() as client:
        assert (await client.post("/v1/baskets", json={})).status_code == 200


async def test_requests_are_counted_by_route_template() -> None:
    shop = Shop()
    async with shop.client(shop.keys.add("a1", "*", sources=("*",))) as client:
        for order_id in ("7", "8"):
            await client.post(f"/v1/orders/{order_id}", json={}, headers={"Idempotency-Key": "k"})
        await client.get("/v1/secret-path")
        exposition = (await client.get("/metrics")).text
    assert 'loyalty_http_requests_total{method="POST",route="/v1/orders/{order_id}",status="200"} 2.0' in exposition
    assert 'route="(unrouted)",status="404"' in exposition
    assert "secret-path" not in exposition


async def test_an_access_line_tells_route_and_status_and_nothing_that_was_sent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = Shop()
    configure_logging("shop")
    async with shop.client() as client:
        await client.post("/v1/baskets?copies=2&who=li@example.com", json={"note": "li@example.com"})
        await client.get("/readyz")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "http_request"]
    assert (line["method"], line["route"], line["status"], line["service"]) == ("POST", "/v1/baskets", 200, "shop")
    assert "example.com" not in json.dumps(lines)


async def _fine() -> Check:
    return Check(ok=True)


async def _behind() -> Check:
    return Check(ok=False, detail="behind", remedy="migrate", more={"by": 2})


async def _hanging() -> Check:
    await asyncio.Event().wait()
    return Check(ok=True)
