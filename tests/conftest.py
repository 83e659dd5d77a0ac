"""What every test may ask for: a real broker, a real database, names of its own on both."""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from services.ops.stack.kafka import LocalKafka
from services.ops.stack.probe import look_around
from services.ops.stack.providers import local_kafka
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from tests.support.kafka import delete_topics, new_prefix
from tests.support.postgres import drop_template, fresh_database, template_database
from tests.support.stack import begin_run, run_directory, server_address, stop_servers

ROOT = Path(__file__).parent
WITHOUT_NETWORK = (ROOT / "unit", ROOT / "property")

hypothesis.settings.register_profile("here", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(directory) for directory in WITHOUT_NETWORK):
            item.add_marker(pytest.mark.disable_socket)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        if url := os.environ.get("LOYALTY_DATABASE_URL"):
            drop_template(url, run_directory())
        stop_servers(run_directory())


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A test that configures logging writes to a stream of its own, which the next test must not inherit closed."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**configured)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def run_dir() -> Path:
    """Shared by all workers of this run."""
    return run_directory()


@pytest.fixture(scope="session")
def kafka(run_dir: Path) -> str:
    """Bootstrap servers of the run's broker."""
    return os.environ.get("LOYALTY_KAFKA") or server_address("kafka", run_dir)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test has."""
    return new_prefix()


@pytest.fixture
async def clean_topics(kafka: str, topic_prefix: str) -> AsyncIterator[str]:
    """The same prefix; every topic that begins with it is deleted after the test."""
    yield topic_prefix
    await delete_topics(kafka, topic_prefix)


@pytest.fixture
async def topics(kafka: str, clean_topics: str) -> KafkaSettings:
    """Every topic of the platform under the test's prefix, with two partitions where the number is free."""
    settings = KafkaSettings(bootstrap=kafka, prefix=clean_topics)
    await apply_topics(settings, partitions=2)
    return settings


@pytest.fixture
async def kafka_cluster(tmp_path: Path) -> AsyncIterator[LocalKafka]:
    """Three brokers of this test's own, to be killed."""
    cluster = local_kafka(look_around(), tmp_path, nodes=3)
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.push_async_callback(cluster.stop)
        await cluster.start()
        yield cluster


@pytest.fixture(scope="session")
def database_server(run_dir: Path) -> str:
    """A maintenance database of the run's server: make your own beside it."""
    return os.environ.get("LOYALTY_DATABASE_URL") or server_address("postgres", run_dir)


@pytest.fixture(scope="session")
def database_template(database_server: str, run_dir: Path) -> str:
    return template_database(database_server, run_dir)


@pytest.fixture
async def database_url(database_server: str, database_template: str) -> AsyncIterator[str]:
    """A database of this test's own with the tables of every service."""
    async with fresh_database(database_server, database_template) as url:
        yield url


@pytest.fixture
async def empty_database_url(database_server: str) -> AsyncIterator[str]:
    """A database of this test's own with nothing in it."""
    async with fresh_database(database_server, None) as url:
        yield url
