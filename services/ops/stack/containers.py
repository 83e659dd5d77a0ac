"""Kafka and PostgreSQL in Docker, their data in named volumes that outlive the containers."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from testcontainers.core.container import DockerContainer

from services.ops.stack.errors import StackError
from services.ops.stack.ports import HOST, remembered_ports
from services.ops.stack.wire import coordinates

KAFKA_IMAGE = "apache/kafka:4.3.0"
POSTGRES_IMAGE = "postgres:17"
POSTGRES_OPTIONS = "postgres -c max_connections=200 -c shared_buffers=256MB -c timezone=UTC"
START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 30
POLL_SECONDS = 0.2


class DockerKafka:
    """One KRaft node from Apache's own image."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._container: DockerContainer | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self._port}"

    async def start(self) -> None:
        self._port = remembered_ports(self._directory / "ports.json", 1)[0]
        settings = {
            "NODE_ID": "1",
            "PROCESS_ROLES": "broker,controller",
            "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{self._port}",
            "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "LOG_DIRS": "/var/lib/kafka/data",
            "AUTO_CREATE_TOPICS_ENABLE": "false",
            "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "OFFSETS_TOPIC_NUM_PARTITIONS": "3",
            "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "TRANSACTION_STATE_LOG_NUM_PARTITIONS": "3",
            "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
            "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        }
        container = _container(KAFKA_IMAGE, inside=9092, outside=self._port)
        container.with_envs(**{f"KAFKA_{name}": value for name, value in settings.items()})
        container.with_volume_mapping(_volume(self._directory), "/var/lib/kafka/data", "rw")
        self._container = container
        await asyncio.to_thread(container.start)
        await _wait("Kafka", lambda: coordinates(HOST, self._port))

    async def stop(self) -> None:
        if self._container is not None:
            await asyncio.to_thread(_stop, self._container)
            self._container = None

    def exited(self) -> list[str]:
        return _exited(self._container, "kafka")


class DockerPostgres:
    """The official image, bound to this machine only; whoever may reach its port may use it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._container: DockerContainer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@{HOST}:{self._port}/loyalty"

    async def start(self) -> None:
        self._port = remembered_ports(self._directory / "ports.json", 1)[0]
        container = _container(POSTGRES_IMAGE, inside=5432, outside=self._port)
        container.with_envs(POSTGRES_HOST_AUTH_METHOD="trust", POSTGRES_DB="loyalty")
        container.with_volume_mapping(_volume(self._directory), "/var/lib/postgresql/data", "rw")
        container.with_command(POSTGRES_OPTIONS)
        self._container = container
        await asyncio.to_thread(container.start)
        await _wait("PostgreSQL", self._accepts)

    async def stop(self) -> None:
        if self._container is not None:
            await asyncio.to_thread(_stop, self._container)
            self._container = None

    def exited(self) -> list[str]:
        return _exited(self._container, "postgres")

    async def _accepts(self) -> bool:
        try:
            connection = await asyncpg.connect(host=HOST, port=self._port, user="postgres", database="loyalty")
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True


def _container(image: str, *, inside: int, outside: int) -> DockerContainer:
    container = DockerContainer(image)
    # A bare port would be bound on every address of this machine; the library's type knows no other form.
    ports: dict[str, Any] = container.ports
    ports[f"{inside}/tcp"] = (HOST, outside)
    return container


def _volume(directory: Path) -> str:
    digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:12]
    return f"loyalty-{directory.name}-{digest}"


def _stop(container: DockerContainer) -> None:
    container.get_wrapped_container().stop(timeout=STOP_TIMEOUT_SECONDS)
    container.stop()


def _exited(container: DockerContainer | None, name: str) -> list[str]:
    if container is None:
        return []
    container.reload()
    return [] if container.status == "running" else [name]


async def _wait(name: str, ready: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            while not await ready():
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as late:
        raise StackError(f"{name} in Docker was not ready after {START_TIMEOUT_SECONDS:.0f} s") from late
