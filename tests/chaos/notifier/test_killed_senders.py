"""A notifier that dies with SIGKILL at the places that matter, and the life after it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.notifier.notifier_process import PATIENCE_SECONDS, NotifierHost, kill, notifier_host
from tests.support.contact_desk import ContactDesk, contact_desk
from tests.support.mail_server import MailServer
from tests.support.notifier import (
    birthday_programme,
    contact,
    new_member,
    programme,
    registered,
    tier_changed,
    tier_record,
)

JOINED = datetime(2026, 1, 5, tzinfo=UTC)
SUBMITTING = [("planned", None), ("submitting", None)]


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
async def host(
    kafka: str, clean_topics: str, database_url: str, desk: ContactDesk, mail_server: MailServer, tmp_path: Path
) -> AsyncIterator[NotifierHost]:
    async with notifier_host(
        kafka=kafka,
        topic_prefix=clean_topics,
        database_url=database_url,
        members_url=desk.url,
        smtp_port=mail_server.port,
        directory=tmp_path,
    ) as host:
        yield host


async def test_killed_while_a_message_is_planned_it_is_sent_once_by_the_next_life(
    host: NotifierHost, desk: ContactDesk, mail_server: MailServer
) -> None:
    await _reach_gold(host, desk)
    first = await host.start("consume")
    await host.recorded(("planned", None))
    await kill(first)
    await host.start("relay", "jobs")
    await host.recorded(*SUBMITTING, ("sent", None))
    assert len(mail_server.received) == 1


async def test_killed_before_the_hand_over_the_message_may_have_been_sent_and_is_not_sent(
    host: NotifierHost, desk: ContactDesk, mail_server: MailServer
) -> None:
    await _reach_gold(host, desk)
    desk.silent = True
    first = await host.start()
    await desk.asked_within(PATIENCE_SECONDS)
    await kill(first)
    desk.answer_again()
    await host.start("jobs")
    await host.recorded(*SUBMITTING, ("maybe_sent", "interrupted"))
    assert mail_server.received == []


async def test_killed_between_the_hand_over_and_its_record_the_mail_is_not_sent_again(
    host: NotifierHost, desk: ContactDesk, mail_server: MailServer
) -> None:
    await _reach_gold(host, desk)
    mail_server.silent = True
    first = await host.start()
    await mail_server.arrival(within_seconds=PATIENCE_SECONDS)
    assert await host.steps() == SUBMITTING
    await kill(first)
    mail_server.answer_again()
    await host.start("jobs")
    await host.recorded(*SUBMITTING, ("maybe_sent", "interrupted"))
    assert len(mail_server.received) == 1


async def test_killed_while_a_birthday_is_ahead_it_is_celebrated_once_by_the_next_life(
    host: NotifierHost, desk: ContactDesk, mail_server: MailServer
) -> None:
    today = await _have_birthday(host, desk)
    first = await host.start("consume", "jobs")
    await host.recorded(*SUBMITTING)
    await kill(first)
    await host.start()
    await host.recorded(*SUBMITTING, ("maybe_sent", "interrupted"))
    assert mail_server.received == []
    assert await host.given() == [f"birthday/{today.year}"]


async def test_killed_between_the_hand_over_and_its_record_a_birthday_is_greeted_and_given_to_once(
    host: NotifierHost, desk: ContactDesk, mail_server: MailServer
) -> None:
    today = await _have_birthday(host, desk)
    mail_server.silent = True
    first = await host.start()
    await mail_server.arrival(within_seconds=PATIENCE_SECONDS)
    await kill(first)
    mail_server.answer_again()
    await host.start()
    await host.recorded(*SUBMITTING, ("maybe_sent", "interrupted"))
    assert len(mail_server.received) == 1
    assert await host.given() == [f"birthday/{today.year}"]


async def _have_birthday(host: NotifierHost, desk: ContactDesk) -> datetime:
    member, today = new_member(), datetime.now(UTC)
    desk.contacts[member] = contact(member, time_zone="UTC")
    told = registered(member, JOINED, birthday=(today.month, today.day), time_zone="UTC")
    await host.publish(birthday_programme(at="00:00"), told)
    return today


async def _reach_gold(host: NotifierHost, desk: ContactDesk) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await host.publish(programme(), tier_record(tier_changed(member, datetime.now(UTC))))
