"""What the notifier records and publishes, and what nobody may do to it."""

import asyncio
import hashlib
import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from services.notifier.adapters.gifts import give
from services.notifier.adapters.outbox import FactSource, MessagesTopic
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import MemberId
from services.runtime.errors import HaltError
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.republish import republish
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from tests.support.contact_desk import ContactDesk
from tests.support.notifier import NotifierUnderTest, contact, new_member, programme, tier_changed, tier_record


@pytest.fixture
async def messages_prefix(kafka: str, clean_topics: str) -> str:
    """Topics of each test's own: what stands last on them matters here."""
    await apply_topics(KafkaSettings(kafka, clean_topics), partitions=1)
    return clean_topics


async def test_the_steps_of_a_member_are_published_as_a_numbered_chain(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    member = await _welcomed(notifier, desk)
    head = hashlib.sha256(member.encode()).digest()
    for number, record in enumerate(await _published(notifier, member), start=1):
        assert record.value is not None
        head = hashlib.sha256(head + record.value).digest()
        assert (record.key, record.headers["member_seq"]) == (member, str(number))
        assert record.headers["hash"] == head.hex()
        assert record.headers["ce_id"] == f"{member}/{number}"
        assert record.headers["ce_type"] == f"loyalty.message.{json.loads(record.value)['fate']}.v1"


async def test_gifts_and_messages_of_a_member_can_be_sent_again(notifier: NotifierUnderTest, desk: ContactDesk) -> None:
    member = await _welcomed(notifier, desk)
    steps = await _published(notifier, member)
    async with notifier.database.begin() as uow:
        gift = Gift(MemberId(member), "birthday", "2026", notifier.clock.now)
        await give(uow, [gift], now=notifier.clock.now)
        assert await republish(uow, FactSource(), "activities", member) == 1
        assert await republish(uow, FactSource(), "messages", member) == len(steps)

    async def sent(topic: str) -> list[bytes | None]:
        batches = [batch async for batch in read_topic(notifier.kafka, topic)]
        return [record.value for batch in batches for record in batch if record.key == member]

    async with asyncio.timeout(20):
        while len(await sent("activities")) < 2 or len(await sent("messages")) < 2 * len(steps):
            await asyncio.sleep(0.05)
    assert len(set(await sent("activities"))) == 1
    assert await sent("messages") == [step.value for step in steps] * 2


async def test_nothing_personal_leaves_the_notifier(notifier: NotifierUnderTest, desk: ContactDesk) -> None:
    member = await _welcomed(notifier, desk)
    for record in await _published(notifier, member):
        assert b"li@example.com" not in (record.value or b"")
        assert "李雷".encode() not in (record.value or b"")
    async with notifier.database.read() as connection:
        kept = str((await connection.execute(text("SELECT * FROM message"))).all())
    assert "li@example.com" not in kept
    assert "李雷" not in kept


@pytest.mark.parametrize("statement", ["UPDATE message_event SET reason = 'x'", "DELETE FROM message_event"])
async def test_the_role_of_the_service_cannot_change_what_it_recorded(
    notifier: NotifierUnderTest, statement: str
) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with notifier.database.begin() as uow:
            await uow.connection.execute(text(statement))


async def test_a_topic_ahead_of_its_database_halts(
    notifier: NotifierUnderTest, desk: ContactDesk, database_url: str
) -> None:
    member = await _welcomed(notifier, desk)
    await _published(notifier, member)
    await check_topics_not_ahead(kafka=notifier.kafka, database=notifier.database, owner=MessagesTopic())
    await _lose_last_fact(database_url)
    with pytest.raises(HaltError, match="behind its topic `messages`: restore the newest backup of schema `notifier`"):
        await check_topics_not_ahead(kafka=notifier.kafka, database=notifier.database, owner=MessagesTopic())


async def test_what_others_write_to_a_shared_topic_halts_nobody(notifier: NotifierUnderTest) -> None:
    publisher = KafkaPublisher(notifier.kafka)
    await publisher.start()
    await publisher.send(Message("activities", new_member(), b"{}", {"ce_source": "ingest"}))
    await publisher.stop()
    await check_topics_not_ahead(kafka=notifier.kafka, database=notifier.database, owner=MessagesTopic())


async def _welcomed(notifier: NotifierUnderTest, desk: ContactDesk) -> str:
    member = new_member()
    desk.contacts[member] = contact(member)
    await notifier.know(programme())
    await notifier.take("tiers", tier_record(tier_changed(member, notifier.clock.now)))
    await notifier.sender.run_once()
    return member


async def _published(notifier: NotifierUnderTest, member: str) -> list[Record[bytes | None]]:
    refs = {f"{member}/{number}" for number in (1, 2, 3)}
    assert await notifier.sender.acknowledgements.acknowledged(refs, within=timedelta(seconds=20)) == refs
    return [record async for batch in read_topic(notifier.kafka, "messages") for record in batch]


async def _lose_last_fact(database_url: str) -> None:
    owner = Database(create_engine(database_url, role=None, schema="notifier", pool_size=2))
    async with owner.begin() as uow:
        await uow.connection.execute(text("DELETE FROM message_event WHERE member_seq = 3"))
    await owner.dispose()
