"""From a tier fact to a mail, on a real database, broker and mail server."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.notifier.adapters.contacts import HttpContacts, members_client
from services.runtime.errors import NotReady
from tests.support.contact_desk import ContactDesk
from tests.support.mail_server import MailServer
from tests.support.notifier import NotifierUnderTest, contact, new_member, programme, tier_changed, tier_record

SENT = [("planned", None), ("submitting", None), ("sent", None)]


async def test_reaching_gold_is_welcomed_in_chinese(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await _reach_gold(notifier, member)
    await notifier.sender.run_once()
    (mail,) = mail_server.received
    assert mail.to == ("li@example.com",)
    assert mail.subject == "李雷，恭喜您成为金卡会员"
    assert "有效期至 20" in mail.text
    assert await notifier.steps() == SENT


async def test_reaching_gold_is_welcomed_in_english(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member, locale="en-GB", name="Anne O'Brien")
    await _reach_gold(notifier, member)
    await notifier.sender.run_once()
    (mail,) = mail_server.received
    assert mail.subject == "Anne O'Brien, you are Gold now"


async def test_c23_consent_withdrawn_between_planning_and_sending_suppresses(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await _reach_gold(notifier, member)
    desk.contacts[member] = contact(member, consent=False)
    await notifier.sender.run_once()
    assert mail_server.received == []
    assert await notifier.steps() == [("planned", None), ("submitting", None), ("suppressed", "no_consent")]
    assert desk.asked == [(member, "marketing", "email")]


async def test_the_same_tier_fact_twice_is_one_mail(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await notifier.know(programme())
    record = tier_record(tier_changed(member, notifier.clock.now))
    await notifier.take("tiers", record, record)
    await notifier.sender.run_once()
    await notifier.take("tiers", record)
    await notifier.sender.run_once()
    assert len(mail_server.received) == 1
    assert await notifier.steps() == SENT


async def test_two_senders_at_once_send_one_mail(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await _reach_gold(notifier, member)
    await asyncio.gather(*(notifier.sender.run_once() for _ in range(3)))
    assert len(mail_server.received) == 1
    assert await notifier.steps() == SENT


async def test_history_is_recorded_as_missed_and_nobody_is_asked(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    member = new_member()
    await notifier.know(programme())
    old = tier_changed(member, notifier.clock.now, effective_from=notifier.clock.now - timedelta(days=2))
    await notifier.take("tiers", tier_record(old))
    assert await notifier.sender.run_once() == 0
    assert await notifier.steps() == [("missed", "too_old")]
    assert desk.asked == []


async def test_a_message_waits_while_the_members_service_is_away_and_is_sent_later(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    desk.away = True
    await _reach_gold(notifier, member)
    await notifier.sender.run_once()
    desk.away = False
    assert await notifier.sender.run_once() == 0, "not before the pause is over"
    notifier.clock.now += timedelta(seconds=30)
    await notifier.sender.run_once()
    assert len(mail_server.received) == 1
    assert await notifier.steps() == [
        ("planned", None), ("submitting", None), ("planned", "lookup_unavailable"), *SENT[1:],
    ]  # fmt: skip


async def test_a_key_that_the_members_service_refuses_is_no_answer_about_the_member(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    member = new_member()
    await _reach_gold(notifier, member)
    async with members_client(desk.url, "lk_other_key") as client:
        await replace(notifier.sender, contacts=HttpContacts(client)).run_once()
    assert (await notifier.steps())[-1] == ("planned", "lookup_unavailable")


async def test_a_member_nobody_knows_gets_nothing(notifier: NotifierUnderTest, mail_server: MailServer) -> None:
    await _reach_gold(notifier, new_member())
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("suppressed", "member_unknown")


async def test_a_recipient_refused_for_good_is_undeliverable(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    mail_server.recipient_answer = "550 no such mailbox"
    await _reach_gold_reachably(notifier, desk)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("suppressed", "undeliverable")


async def test_a_recipient_refused_for_now_is_tried_again(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    mail_server.recipient_answer = "451 busy"
    await _reach_gold_reachably(notifier, desk)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("planned", "provider_refused")
    mail_server.recipient_answer = None
    notifier.clock.now += timedelta(seconds=30)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("sent", None)


async def test_data_refused_for_good_is_undeliverable(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    mail_server.data_answer = "554 spam"
    await _reach_gold_reachably(notifier, desk)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("suppressed", "undeliverable")


async def test_a_mail_server_that_is_away_is_asked_again_later(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    await mail_server.__aexit__(None, None, None)
    await _reach_gold_reachably(notifier, desk)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("planned", "provider_unavailable")


async def test_no_answer_after_the_data_may_have_been_sent_and_is_not_repeated(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    mail_server.silent = True
    await _reach_gold_reachably(notifier, desk)
    hasty = replace(notifier.sender.limits, submission=timedelta(seconds=1))
    await replace(notifier.sender, limits=hasty).run_once()
    mail_server.answer_again()
    notifier.clock.now += timedelta(hours=1)
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("maybe_sent", "no_answer")
    assert len(mail_server.received) == 1


async def test_a_template_that_cannot_be_rendered_suppresses(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    broken = {"en": {"subject": "{{ nobody.knows }}", "body": "x"}}
    await _reach_gold_reachably(notifier, desk, templates={"welcome-gold": broken})
    await notifier.sender.run_once()
    assert (await notifier.steps())[-1] == ("suppressed", "template_error")
    assert mail_server.received == []


async def test_every_step_is_counted(notifier: NotifierUnderTest, desk: ContactDesk) -> None:
    await _reach_gold_reachably(notifier, desk)
    await notifier.sender.run_once()
    exposition = notifier.context.metrics.exposition().decode()
    for outcome in ("submitting", "sent"):
        assert f'loyalty_outcomes_total{{operation="message",outcome="{outcome}"}} 1.0' in exposition


async def test_a_message_that_waited_too_long_is_missed(notifier: NotifierUnderTest, desk: ContactDesk) -> None:
    await _reach_gold_reachably(notifier, desk)
    notifier.clock.now += timedelta(days=2)
    await notifier.sender.run_once()
    assert await notifier.steps() == [("planned", None), ("missed", "too_old")]


async def test_a_welcome_is_dropped_when_the_tier_is_lost_before_sending(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    member = await _reach_gold_reachably(notifier, desk)
    lost = tier_changed(member, notifier.clock.now, member_seq=2, from_tier="gold", to_tier="silver", reason="return")
    await notifier.take("tiers", tier_record(lost))
    await notifier.sender.run_once()
    assert await notifier.steps() == [("planned", None), ("suppressed", "occasion_over")]


async def test_a_welcome_is_sent_although_the_tier_before_it_ended_meanwhile(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    member = new_member()
    desk.contacts[member] = contact(member)
    await notifier.know(programme())
    bought = notifier.clock.now
    tomorrow = tier_changed(member, bought, effective_from=bought + timedelta(hours=20))
    ended = {"from_tier": "silver", "to_tier": None, "reason": "period_end", "valid_until": None}
    await notifier.take("tiers", tier_record(tomorrow))
    evaluated = tier_changed(member, bought + timedelta(hours=4), member_seq=2, effective_from=bought, **ended)
    await notifier.take("tiers", tier_record(evaluated))
    await notifier.sender.run_once()
    assert await notifier.steps() == [("planned", None), ("submitting", None), ("sent", None)]


async def test_tier_facts_wait_until_a_programme_is_known(notifier: NotifierUnderTest) -> None:
    with pytest.raises(NotReady):
        await notifier.take("tiers", tier_record(tier_changed(new_member(), notifier.clock.now)))
    assert await notifier.steps() == []


async def _reach_gold_reachably(notifier: NotifierUnderTest, desk: ContactDesk, **changes: Any) -> str:
    member = new_member()
    desk.contacts[member] = contact(member)
    await notifier.know(programme(**changes))
    await notifier.take("tiers", tier_record(tier_changed(member, notifier.clock.now)))
    return member


async def _reach_gold(notifier: NotifierUnderTest, member: str) -> None:
    await notifier.know(programme())
    await notifier.take("tiers", tier_record(tier_changed(member, notifier.clock.now)))
