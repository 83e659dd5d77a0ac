"""Gifts of campaigns: given once for their occasion, whatever becomes of the message."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from schemas.purchases import Activity
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import MemberId
from services.runtime.kafka.reader import read_topic
from services.runtime.ports import Record
from tests.support.contact_desk import ContactDesk
from tests.support.mail_server import MailServer
from tests.support.notifier import (
    NotifierUnderTest,
    birthday_programme,
    contact,
    new_member,
    programme,
    registered,
    tier_changed,
    tier_record,
)

SPRING = datetime(2026, 4, 1, tzinfo=UTC)
NINE = datetime(2026, 6, 10, 9, tzinfo=ZoneInfo("Asia/Shanghai"))


async def test_C22_who_may_not_be_written_to_is_given_the_gift(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    without_consent, blocked = _known(desk, consent=False), _known(desk, status="blocked")
    await notifier.begin(birthday_programme(), at=NINE - timedelta(days=1))
    await notifier.take("members", registered(without_consent, SPRING), registered(blocked, SPRING, status="blocked"))
    await notifier.jump_to(NINE)
    await notifier.sender.run_once()
    assert mail_server.received == []
    assert {reason for fate, reason in await notifier.steps() if fate == "suppressed"} == {
        "no_consent", "member_blocked",
    }  # fmt: skip
    assert {each["member_id"] for each in await notifier.gifts()} == {without_consent, blocked}


async def test_a_gift_is_published_once_as_an_activity_that_anyone_could_name(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=NINE - timedelta(days=1))
    await notifier.take("members", registered(member, SPRING))
    await notifier.jump_to(NINE)
    (record,) = await _published(notifier, "activities", member)
    assert record.value is not None
    gift = Activity.model_validate_json(record.value)
    assert (record.key, record.headers["ce_id"], record.headers["ce_source"]) == (member, gift.event_id, "notifier")
    assert record.headers["ce_type"] == "loyalty.activity.v1"
    assert (gift.source, gift.activity, gift.reference) == ("notifier", "gift", "birthday/2026")
    assert gift.occurred_at == NINE
    exposition = notifier.context.metrics.exposition().decode()
    assert 'loyalty_outcomes_total{operation="gift",outcome="given"} 1.0' in exposition
    again = Gift(MemberId(member), "birthday", "2026", NINE + timedelta(hours=1))
    await notifier.herald.transactions.run(lambda store, _agenda: store.give([again], now=notifier.clock.now))
    assert len(await notifier.gifts()) == 1
    (step,) = await _published(notifier, "messages", member)
    assert json.loads(step.value or b"")["occasion"] == "birthday"


async def test_a_gift_comes_with_a_tier_as_well(notifier: NotifierUnderTest) -> None:
    campaign = {
        "id": "welcome-gold",
        "on": {"tier": "gold"},
        "channels": ["email", "webhook"],
        "template": "welcome-gold",
        "gift": {"unit": "growth", "points": 10},
    }
    await notifier.know(programme(campaigns=[campaign]))
    change, left = tier_changed(new_member(), notifier.clock.now), tier_changed(new_member(), notifier.clock.now)
    await notifier.take("members", registered(left.member_id, SPRING, status="closed"))
    await notifier.take("tiers", tier_record(change), tier_record(left))
    await notifier.take("tiers", tier_record(change))
    (gift,) = await notifier.gifts()
    assert gift["reference"] == f"welcome-gold/{change.member_id}/1"
    assert datetime.fromisoformat(gift["occurred_at"]) == change.recorded_at


async def test_the_role_of_the_service_cannot_change_what_it_gave(notifier: NotifierUnderTest) -> None:
    for statement in ("UPDATE gift SET body = ''", "DELETE FROM gift"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with notifier.database.begin() as uow:
                await uow.connection.execute(text(statement))


async def _published(notifier: NotifierUnderTest, topic: str, member: str) -> list[Record[bytes | None]]:
    async with asyncio.timeout(20):
        found: list[Record[bytes | None]] = []
        while not found:
            records = [record async for batch in read_topic(notifier.kafka, topic) for record in batch]
            found = [record for record in records if record.key == member]
        return found


def _known(desk: ContactDesk, **changes: Any) -> str:
    member = new_member()
    desk.contacts[member] = contact(member, **changes)
    return member
