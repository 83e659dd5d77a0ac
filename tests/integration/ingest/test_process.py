"""The service as it is run: one process with all its roles."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from services.runtime.http.access import create_key
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from tests.support.checkouts import body, sale
from tests.support.ingest import PROGRAMME

PATIENCE_SECONDS = 30.0


async def test_a_checkout_goes_through_the_process_and_it_stops_when_asked(
    kafka: str, clean_topics: str, database_url: str, tmp_path: Path
) -> None:
    settings = KafkaSettings(kafka, clean_topics)
    await apply_topics(settings, partitions=2, replication=1)
    await _publish_programme(settings)
    key = await _key(database_url)
    async with _process(kafka, clean_topics, database_url, tmp_path) as (process, url):
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
            await _answers(client, "/readyz", 200)
            sent = await client.post("/v1/checkouts", json=sale())
            assert sent.status_code == 202, sent.text
            outcome = await _answers(client, f"/v1/checkouts/{sent.json()['event_id']}", 200)
            assert (outcome["outcome"], outcome["reason"]) == ("unclaimed", "unknown_identity")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0


@asynccontextmanager
async def _process(
    kafka: str, prefix: str, database_url: str, directory: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    port = _free_port()
    for name in ("identity", "seal"):
        write_key_file(directory / name)
    environment = os.environ | {
        "LOYALTY_KAFKA": kafka,
        "LOYALTY_TOPIC_PREFIX": prefix,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_INGEST_PORT": str(port),
        "LOYALTY_IDENTITY_KEY_FILE": str(directory / "identity"),
        "LOYALTY_SEAL_KEY_FILE": str(directory / "seal"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.ingest", env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(client: httpx.AsyncClient, path: str, status: int) -> dict[str, str]:
    last = "nothing"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = await client.get(path)
                except httpx.TransportError as error:
                    last = str(error)
                else:
                    last = answer.text
                    if answer.status_code == status:
                        return dict(answer.json())
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{path} never answered {status}: {last}") from None


async def _publish_programme(settings: KafkaSettings) -> None:
    event = {"published_at": "2026-01-01T00:00:00Z", "document": PROGRAMME}
    event |= {name: PROGRAMME[name] for name in ("version", "effective_from")}
    publisher = KafkaPublisher(settings)
    await publisher.start()
    await publisher.send(Message("programme", "programme", body(event), {}))
    await publisher.stop()


async def _key(database_url: str) -> str:
    owner = Database(create_engine(database_url, role=None, schema="access", pool_size=2))
    try:
        return await create_key(owner, owner="shop", scopes=["*"], sources=["*"])
    finally:
        await owner.dispose()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
