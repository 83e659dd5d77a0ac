from collections.abc import AsyncIterator

import pytest

from tests.support.contact_desk import ContactDesk, contact_desk
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


@pytest.fixture
async def notifier(
    kafka: str, clean_topics: str, database_url: str, desk: ContactDesk, mail_server: MailServer
) -> AsyncIterator[NotifierUnderTest]:
    """Parts of the notifier on topics and tables of this test's own, with its relay running."""
    async with (
        notifier_under_test(
            kafka=kafka,
            topic_prefix=clean_topics,
            database_url=database_url,
            members_url=desk.url,
            smtp_port=mail_server.port,
        ) as notifier,
        notifier.relaying(),
    ):
        yield notifier
