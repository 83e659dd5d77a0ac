import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from tests.support.contact_desk import ContactDesk, contact_desk
from tests.support.kafka import delete_topics, new_prefix
from tests.support.mail_server import MailServer
from tests.support.notifier import NotifierUnderTest, notifier_under_test


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server
        server.answer_again()


@pytest.fixture
async def desk() -> AsyncIterator[ContactDesk]:
    async with contact_desk() as desk:
        yield desk


@pytest.fixture(scope="module")
def shared_topics(kafka: str) -> Iterator[str]:
    """Members and databases differ from test to test; for most, topics need not."""
    prefix = new_prefix()
    asyncio.run(apply_topics(KafkaSettings(kafka, prefix), partitions=1))
    yield prefix
    asyncio.run(delete_topics(kafka, prefix))


@pytest.fixture
def messages_prefix(shared_topics: str) -> str:
    return shared_topics


@pytest.fixture
async def notifier(
    kafka: str, messages_prefix: str, database_url: str, desk: ContactDesk, mail_server: MailServer
) -> AsyncIterator[NotifierUnderTest]:
    """Parts of the notifier on tables of this test's own, with its relay running."""
    async with (
        notifier_under_test(
            kafka=kafka,
            topic_prefix=messages_prefix,
            database_url=database_url,
            members_url=desk.url,
            smtp_port=mail_server.port,
        ) as notifier,
        notifier.relaying(),
    ):
        yield notifier
