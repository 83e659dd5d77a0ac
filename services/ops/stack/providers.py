"""From a choice to something that starts, has an address, and stops."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Protocol

import asyncpg

from services.ops.stack.choice import Found, Provider, choose_kafka, choose_postgres
from services.ops.stack.errors import StackError
from services.ops.stack.jars import fetch, jar_directory
from services.ops.stack.kafka import LocalKafka
from services.ops.stack.postgres import LocalPostgres
from services.ops.stack.probe import java
from services.ops.stack.wire import answers


class Broker(Protocol):
    """Kafka, wherever it comes from; `bootstrap` and `exited` hold after `start`."""

    @property
    def bootstrap(self) -> str: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def exited(self) -> list[str]: ...


class Database(Protocol):
    """PostgreSQL, wherever it comes from; `url` is SQLAlchemy's (postgresql+asyncpg)."""

    @property
    def url(self) -> str: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def exited(self) -> list[str]: ...


def broker(found: Found, state_dir: Path, *, nodes: int = 1) -> Broker:
    match choose_kafka(found):
        case Provider.ADDRESS:
            return GivenKafka(found.kafka_address or "")
        case Provider.JVM:
            return local_kafka(found, state_dir, nodes=nodes)
        case _:
            from services.ops.stack.containers import DockerKafka

            return DockerKafka(state_dir / "kafka")


def local_kafka(found: Found, state_dir: Path, *, nodes: int = 1) -> LocalKafka:
    """Blocks while Maven fetches what is not in the cache."""
    jars = jar_directory() if found.kafka_jars or found.maven is None else fetch(found.maven)
    return LocalKafka(state_dir / "kafka", state_dir / "run", java=java() or "java", jars=jars, nodes=nodes)


def database(found: Found, state_dir: Path) -> Database:
    match choose_postgres(found):
        case Provider.ADDRESS:
            return GivenPostgres(found.database_url or "")
        case Provider.WHEEL:
            return LocalPostgres(state_dir / "postgres", state_dir / "run")
        case _:
            from services.ops.stack.containers import DockerPostgres

            return DockerPostgres(state_dir / "postgres")


class GivenKafka:
    """A broker that somebody else runs: only asked whether it answers."""

    def __init__(self, address: str) -> None:
        self.bootstrap = address

    async def start(self) -> None:
        # Behind TLS a broker understands only what the services' own clients say.
        if "SSL" in os.environ.get("LOYALTY_KAFKA_SECURITY_PROTOCOL", "").replace("SASL", ""):
            return
        for address in self.bootstrap.split(","):
            host, _, port = address.strip().rpartition(":")
            if port.isdigit() and await answers(host.strip("[]"), int(port)):
                return
        raise StackError(f"No Kafka broker answers at {self.bootstrap} (LOYALTY_KAFKA)")

    async def stop(self) -> None:
        """Not ours to stop."""

    def exited(self) -> list[str]:
        return []


class GivenPostgres:
    """A database that somebody else runs: only asked whether it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def start(self) -> None:
        try:
            connection = await asyncio.wait_for(asyncpg.connect(dsn(self.url)), timeout=10)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise StackError(f"The database of LOYALTY_DATABASE_URL does not answer: {error}") from error
        await connection.close()

    async def stop(self) -> None:
        """Not ours to stop."""

    def exited(self) -> list[str]:
        return []


def dsn(url: str) -> str:
    """The form that asyncpg itself reads."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


def forget(state_dir: Path) -> None:
    """Removes the data of a stopped stack."""
    shutil.rmtree(state_dir, ignore_errors=True)
