"""The service as a process of its own, and the command that looks at a member."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from typer.testing import CliRunner

from services.ops.__main__ import build
from services.runtime.http.access import create_key
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.key_files import write_key_file
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from tests.support.members import LI

READY_SECONDS = 30
SCOPES = ("members:read", "members:write", "members:personal")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def environment(database_url: str, tmp_path: Path, kafka: str, clean_topics: str) -> dict[str, str]:
    """Settings of a deployment where only members runs; ledger and tiering have ports where nobody listens."""
    await apply_topics(KafkaSettings(kafka, clean_topics), partitions=1)
    for name in ("IDENTITY", "VAULT", "SEAL"):
        write_key_file(tmp_path / name)
    owner = Database(create_engine(database_url, role=None, schema="members"))
    key = await create_key(owner, owner="shop", scopes=SCOPES)
    await owner.dispose()
    ports = {f"LOYALTY_{name}_PORT": str(free_port()) for name in ("MEMBERS", "LEDGER", "TIERING")}
    files = {f"LOYALTY_{name}_KEY_FILE": str(tmp_path / name) for name in ("IDENTITY", "VAULT", "SEAL")}
    rest = {"LOYALTY_KAFKA": kafka, "LOYALTY_DATABASE_URL": database_url, "LOYALTY_TOPIC_PREFIX": clean_topics}
    return {**os.environ, **rest, **ports, **files, "LOYALTY_KEY": key}


@pytest.fixture
async def running(environment: Mapping[str, str], tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """`python -m services.members`, ready; it must end with 0 when it is asked to."""
    with (tmp_path / "members.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "services.members"], env=environment, stderr=log, stdout=log)
    headers = {"Authorization": f"Bearer {environment['LOYALTY_KEY']}"}
    base = f"http://127.0.0.1:{environment['LOYALTY_MEMBERS_PORT']}"
    try:
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
            async with asyncio.timeout(READY_SECONDS):
                while not await is_ready(client):
                    assert process.poll() is None, (tmp_path / "members.log").read_text()
                    await asyncio.sleep(0.1)
            yield client
    finally:
        process.terminate()
        assert process.wait(READY_SECONDS) == 0, (tmp_path / "members.log").read_text()


async def is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).is_success
    except httpx.ConnectError:
        return False


async def show(environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Exit code, and what was said on both streams."""
    result = await asyncio.to_thread(CliRunner().invoke, build(), ["member", "show", *arguments], env=environment)
    return result.exit_code, result.output


async def test_a_member_is_shown_while_other_services_are_away(
    running: httpx.AsyncClient, environment: Mapping[str, str]
) -> None:
    registered = await running.post("/v1/members", json=LI, headers={"Idempotency-Key": "1"})
    member = registered.json()["member_id"]
    code, shown = await show(environment, member, "--json")
    document = json.loads(shown)
    assert (code, document["member_id"], document["members"]["personal"]["name"]) == (1, member, "李雷")
    assert "ledger does not answer" in document["ledger"]["unavailable"]
    code, shown = await show(environment, member)
    assert "李雷" in shown
    assert "tiering does not answer" in shown
    code, shown = await show(environment, "李雷")
    assert (code, "is no member id" in shown) == (2, True)
    code, shown = await show(environment, str(uuid4()), "--key", "lk_ab_cd")
    assert (code, "unauthenticated" in shown) == (2, True)
