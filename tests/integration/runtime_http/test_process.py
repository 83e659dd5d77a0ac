import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message, OutboxRow
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.unit_of_work import Database
from tests.integration.runtime_http.probe import free_port, running

NOBODY = "127.0.0.1:1"
ROLES = ("api", "relay", "jobs")


@pytest.fixture
def env(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> dict[str, str]:
    seal_key = tmp_path / "seal.key"
    write_key_file(seal_key)
    return {
        "LOYALTY_KAFKA": kafka,
        "LOYALTY_TOPIC_PREFIX": clean_topics,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_SEAL_KEY_FILE": str(seal_key),
    }


async def test_a_process_becomes_ready_serves_and_ends_well_on_sigterm(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env, *ROLES) as probe:
        await probe.ready()
        assert (await probe.http.post("/v1/echo", json={})).json() == {"echo": True}
        probe.kill(signal.SIGTERM)
        assert await probe.exit_code() == 0
    events = [line["event"] for line in probe.lines()]
    assert events.index("ready_to_work") < events.index("stopping") < events.index("stopped")


async def test_a_request_under_way_is_finished_before_the_process_ends(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env, "api") as probe:
        await probe.ready()
        async with asyncio.TaskGroup() as tasks:
            request = tasks.create_task(probe.http.get("/v1/slow"))
            await probe.is_on("slow_began")
            probe.kill(signal.SIGTERM)
            await probe.logged("stopping")
            probe.switch("slow_may_end")
        assert (await request).json() == {"slow": True}
        assert await probe.exit_code() == 0


async def test_a_second_signal_ends_the_process_at_once(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env, "jobs", switches=("job_hangs",)) as probe:
        await probe.is_on("job_began")
        probe.kill(signal.SIGINT)
        await probe.logged("stopping")
        probe.kill(signal.SIGINT)
        assert await probe.exit_code() == 1


async def test_an_unmigrated_database_is_told_on_readyz_until_it_is_migrated(
    tmp_path: Path, env: dict[str, str], empty_database_url: str
) -> None:
    async with running(tmp_path, env | {"LOYALTY_DATABASE_URL": empty_database_url}, *ROLES) as probe:
        report = await probe.readiness(lambda report: "remedy" in report["checks"]["migrations"])
        assert report["checks"]["migrations"]["remedy"] == "run `loyalty migrate`"
        command = await probe.http.post("/v1/echo", json={})
        assert (command.status_code, command.json()["remedy"]) == (503, "run `loyalty migrate`")
        assert (await probe.http.get("/livez")).status_code == 200
        await migrate("programme", empty_database_url)
        await probe.ready()


async def test_a_database_behind_its_topic_halts_the_service_until_it_is_mended(
    tmp_path: Path, env: dict[str, str]
) -> None:
    kafka = await topics(env)
    await publish(kafka, Message("messages", "m", b"{}", {}))
    async with running(tmp_path, env, *ROLES, switches=("database_is_old",)) as probe:
        halted = await probe.logged("halted")
        assert (halted["what"], halted["remedy"]) == (
            "this database is behind its topic `messages`",
            "probe rebuild messages",
        )
        refused = await probe.http.post("/v1/echo", json={})
        assert (refused.status_code, refused.json()["detail"]) == (503, halted["what"])
        assert (await probe.http.get("/livez")).status_code == 200
        assert "loyalty_halted 1.0" in (await probe.http.get("/metrics")).text
        probe.switch("database_is_old", on=False)
        await probe.ready()
        assert (await probe.http.post("/v1/echo", json={})).status_code == 200


async def test_a_process_waits_for_a_broker_that_is_away(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env | {"LOYALTY_KAFKA": NOBODY}, *ROLES) as probe:
        await probe.readiness(lambda report: "waiting" in report["checks"]["guard"].get("detail", ""))
        probe.kill(signal.SIGTERM)
        assert await probe.exit_code() == 0


async def test_a_process_waits_for_a_database_that_is_away(tmp_path: Path, env: dict[str, str]) -> None:
    away = {"LOYALTY_DATABASE_URL": f"postgresql+asyncpg://nobody@{NOBODY}/none"}
    async with running(tmp_path, env | away, *ROLES) as probe:
        report = await probe.readiness(lambda report: "waiting" in report["checks"]["guard"].get("detail", ""))
        assert report["checks"]["database"]["ok"] is False
        probe.kill(signal.SIGTERM)
        assert await probe.exit_code() == 0


async def test_a_consumer_applies_what_comes_and_tells_where_it_stands(tmp_path: Path, env: dict[str, str]) -> None:
    kafka = await topics(env)
    async with running(tmp_path, env, "consume", "api") as probe:
        await probe.ready()
        await publish(kafka, Message("messages", "m", b"{}", {}))
        await probe.is_on("record_read")
        await probe.readiness(lambda report: running_partitions(report) == [("messages", 0)])
        probe.kill(signal.SIGTERM)
        assert await probe.exit_code() == 0


async def test_a_partition_stopped_by_a_record_is_on_readyz_with_its_cause(tmp_path: Path, env: dict[str, str]) -> None:
    kafka = await topics(env)
    await publish(kafka, Message("messages", "m", b"{}", {}))
    async with running(tmp_path, env, "consume", "api", switches=("reader_has_a_bug",)) as probe:
        report = await probe.readiness(lambda report: "is stopped" in consumer_check(report).get("detail", ""))
        assert "messages/0 is stopped: offset 0: RuntimeError" in consumer_check(report)["detail"]
        assert (await probe.http.post("/v1/echo", json={})).status_code == 200
        assert (
            'loyalty_consumer_partition_stopped{partition="0",topic="messages"} 1.0'
            in (await probe.http.get("/metrics")).text
        )


async def test_a_position_beyond_the_topic_halts_the_service_until_it_is_moved(
    tmp_path: Path, env: dict[str, str], database_url: str
) -> None:
    await topics(env)
    async with session(database_url) as database:
        await place_checkpoint(database, 1_000)
        async with running(tmp_path, env, "consume", "api") as probe:
            halted = await probe.logged("halted")
            report = await probe.readiness(lambda report: report["checks"]["guard"].get("detail") == halted["what"])
            assert report["checks"]["guard"]["remedy"] == halted["remedy"]
            assert (await probe.http.post("/v1/echo", json={})).status_code == 503
            await place_checkpoint(database, 0)
            await probe.ready()


async def test_a_job_that_fails_is_told_and_tried_again(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env, *ROLES, switches=("job_has_a_bug",)) as probe:
        report = await probe.readiness(lambda report: not report["checks"].get("jobs", {"ok": True})["ok"])
        assert report["checks"]["jobs"]["detail"] == "probe: RuntimeError"
        assert (await probe.http.post("/v1/echo", json={})).status_code == 200
        probe.switch("job_has_a_bug", on=False)
        await probe.ready()


async def test_a_fault_that_no_record_caused_ends_the_process(
    tmp_path: Path, env: dict[str, str], database_url: str
) -> None:
    async with running(tmp_path, env, *ROLES, switches=("relay_has_a_bug",)) as probe:
        await probe.ready()
        await write_outbox(database_url)
        assert await probe.exit_code() == 1
        assert "RuntimeError" in (await probe.logged("process_failed"))["fault"]


async def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path, env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running(tmp_path, env, port=taken.getsockname()[1]) as probe:
            assert await probe.exit_code() == 2
    assert "LOYALTY_PROGRAMME_PORT" in probe.text()


async def test_an_unknown_role_is_wrong_use(tmp_path: Path, env: dict[str, str]) -> None:
    async with running(tmp_path, env, "dance") as probe:
        assert await probe.exit_code() == 2
    assert "api, consume, relay, jobs, migrate" in probe.text()


async def test_a_process_without_api_serves_only_its_operational_paths(tmp_path: Path, env: dict[str, str]) -> None:
    port = free_port()
    own = {"LOYALTY_PROGRAMME_OPS_PORT": str(port)}
    async with running(tmp_path, env | own, "relay", port=port) as probe:
        await probe.ready()
        assert (await probe.http.post("/v1/echo", json={})).status_code == 404
        assert "loyalty_outbox_age_seconds" in (await probe.http.get("/metrics")).text


async def test_the_role_migrate_brings_the_schema_and_ends(
    tmp_path: Path, env: dict[str, str], empty_database_url: str
) -> None:
    own = {"LOYALTY_DATABASE_URL": empty_database_url}
    async with running(tmp_path, env | own, "migrate") as probe:
        assert await probe.exit_code() == 0
    assert [line["schema"] for line in probe.lines() if line["event"] == "migrated"] == ["access", "programme"]


async def topics(env: dict[str, str]) -> KafkaSettings:
    kafka = KafkaSettings(bootstrap=env["LOYALTY_KAFKA"], prefix=env["LOYALTY_TOPIC_PREFIX"])
    await apply_topics(kafka, partitions=1, replication=1)
    return kafka


def consumer_check(report: dict[str, Any]) -> dict[str, Any]:
    check: dict[str, Any] = report["checks"].get("consumer", {})
    return check


def running_partitions(report: dict[str, Any]) -> list[tuple[str, int]]:
    partitions = consumer_check(report).get("partitions", [])
    return [(each["topic"], each["partition"]) for each in partitions if each["state"] == "running"]


@asynccontextmanager
async def session(database_url: str) -> AsyncIterator[Database]:
    database = Database(create_engine(database_url, role="loyalty_programme", schema="programme", pool_size=2))
    try:
        yield database
    finally:
        await database.dispose()


async def place_checkpoint(database: Database, offset: int) -> None:
    async with database.begin() as uow:
        await uow.connection.execute(
            text(
                "INSERT INTO checkpoint (consumer, topic, partition, next_offset)"
                " VALUES (:consumer, :topic, 0, :offset)"
                " ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = :offset"
            ),
            {"consumer": "programme", "topic": "messages", "offset": offset},
        )


async def publish(kafka: KafkaSettings, message: Message) -> None:
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    try:
        await publisher.send(message)
    finally:
        await publisher.stop()


async def write_outbox(database_url: str) -> None:
    async with session(database_url) as database, database.begin() as uow:
        await uow.add_outbox([OutboxRow("messages", "m", "x")])
