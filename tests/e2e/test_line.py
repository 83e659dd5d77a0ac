"""From a till to a mailbox: every service a process of its own, on a real broker, database and mail server."""

import asyncio
import json
import os
import signal
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from schemas.checkouts import CHECKOUT_V1
from services.ledger.adapters.filling import Filled
from services.ledger.adapters.streams import no_progress
from services.ops.rebuilding import lose_and_fill_ledger
from services.runtime.kafka.topics import topic_specs
from services.runtime.ports import Message
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.settings import ServiceSettings
from tests.support.ledger_process import expel_members
from tests.support.line import Line, address_of, new_card

pytestmark = pytest.mark.asyncio(loop_scope="module")

YUAN = 100
MAY_BE_PERSONAL = {"checkouts"}
TABLES = """
SELECT schemaname, tablename FROM pg_tables
WHERE schemaname IN ('ingest', 'ledger', 'members', 'notifier', 'programme', 'tiering')
"""


async def test_a_purchase_becomes_points_a_tier_a_mail_and_more_points(line: Line) -> None:
    card = new_card()
    member = await line.register(card)
    first = await line.sell(line.checkout(card, 5_000 * YUAN))
    assert (await line.outcome(first))["member_id"] == member
    await line.until_points(member, 5_000)
    gold = await line.until_tier(member, "gold")
    assert line.stack.mailbox is not None
    mail = await line.stack.mailbox.arrival(lambda mail: address_of(card) in mail.to, within_seconds=30)
    assert mail.subject == "李雷，恭喜您升级为金卡会员"
    assert [step["fate"] for step in (await line.until_message(member, "sent"))["steps"]] == [
        "planned",
        "submitting",
        "sent",
    ]
    await line.until_tier_applied(member)
    second = await line.sell(line.checkout(card, 10 * YUAN))
    (entry,) = (await line.explained(second))["facts"]
    assert (entry["fact"]["tier"], entry["fact"]["programme_version"]) == ("gold", 1)
    given = {award["rule"]: award["points"] for award in entry["fact"]["awards"]}
    assert given == {"base": 15, "growth": 10}
    assert gold["metric"]["value"] == 5_000


async def test_a_till_may_write_to_kafka_itself_in_either_mode_and_over_http_again(line: Line) -> None:
    card = new_card()
    member = await line.register(card)
    binary, structured = line.checkout(card, 30 * YUAN), line.checkout(card, 12 * YUAN)
    event = {"specversion": "1.0", "id": "1", "source": "pos.acme", "type": CHECKOUT_V1, "data": structured}
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "pos.acme", "ce_type": CHECKOUT_V1}
    key = "pos.acme/0457/03"
    await line.send(
        Message("checkouts", key, json.dumps(binary).encode(), headers),
        Message("checkouts", key, json.dumps(event).encode(), {"content-type": "application/cloudevents+json"}),
        Message("checkouts", key, json.dumps(binary).encode(), headers),
    )
    await line.until_points(member, 42)
    again = await line.sell(binary)

    async def counted() -> bool | None:
        return (await line.outcome(again))["duplicates"] == 2 or None

    await line.eventually(counted)
    assert await line.points(member) == 42


async def test_C23_consent_withdrawn_before_the_sending_suppresses_the_mail(line: Line) -> None:
    card = new_card()
    member = await line.register(card)
    notifier = line.stack.services["notifier"].pid
    assert notifier is not None
    # Held between the occasion and the sending, for as long as the member takes to change their mind.
    os.kill(notifier, signal.SIGSTOP)
    try:
        await line.sell(line.checkout(card, 1_000 * YUAN))
        await line.until_tier(member, "silver")
        await line.consent(member, granted=False)
    finally:
        os.kill(notifier, signal.SIGCONT)
    suppressed = await line.until_message(member, "suppressed")
    assert (suppressed["campaign"], suppressed["steps"][-1]["reason"]) == ("welcome-silver", "no_consent")
    assert line.stack.mailbox is not None
    assert not [mail for mail in line.stack.mailbox.received if address_of(card) in mail.to]


async def test_a_sale_counts_once_whether_the_card_is_registered_before_after_or_at_once(line: Line) -> None:
    cards = [new_card() for _ in range(12)]
    before, after, at_once = cards[:4], cards[4:8], cards[8:]
    members = dict(zip(before, await asyncio.gather(*map(line.register, before)), strict=True))
    sales = {card: line.checkout(card, 20 * YUAN) for card in cards}
    events = await asyncio.gather(*(line.sell(sales[card]) for card in before + after))
    await asyncio.gather(*(line.outcome(event, "unclaimed") for event in events[4:]))
    members |= dict(zip(after, await asyncio.gather(*map(line.register, after)), strict=True))
    both = await asyncio.gather(*map(line.register, at_once), *(line.sell(sales[card]) for card in at_once))
    members |= dict(zip(at_once, both, strict=False))
    await asyncio.gather(*(line.until_points(member, 20) for member in members.values()))
    await asyncio.gather(*(line.sell(sale) for sale in sales.values()))
    await line.sell(line.checkout(cards[0], 1 * YUAN))
    await line.until_points(members[cards[0]], 21)
    assert {await line.points(members[card]) for card in cards[1:]} == {20}


async def test_points_that_paid_come_back_with_what_they_paid_for(line: Line) -> None:
    card = new_card()
    member = await line.register(card)
    await line.sell(line.checkout(card, 200 * YUAN))
    await line.until_points(member, 200)
    path = f"/v1/members/{member}/redemptions"
    redemption = (await line.write("POST", "ledger", path, json={"unit": "points", "points": 150}))["redemption_id"]
    in_points = {"type": "points", "amount": 90 * YUAN, "reference": redemption}
    sale = line.checkout(card, 120 * YUAN, tenders=[in_points, {"type": "card", "amount": 30 * YUAN}])
    sold = await line.sell(sale)
    await line.until_points(member, 80)

    original = {name: sale[name] for name in ("store", "terminal", "business_day", "sequence")}
    lines = [{"line": 1, "of_line": 1, "sku": "cake-m", "net": 40 * YUAN}]
    tenders = [in_points | {"amount": 30 * YUAN}, {"type": "card", "amount": 10 * YUAN}]
    await line.sell(line.checkout(card, 40 * YUAN, kind="return", original=original, lines=lines, tenders=tenders))
    await line.until_points(member, 80 + 50 - 10)

    cancelled = await line.write("POST", "ledger", f"{path}/{redemption}/cancel")
    later = [entry["fact"]["type"] for entry in (await line.explained(sold))["later"]]

    assert cancelled["given_back"] == {"points": 100}
    assert {"points_restored", "return_recorded"} <= set(later)


async def test_a_sale_too_far_ahead_is_refused_and_one_that_cannot_be_read_becomes_a_dead_letter(line: Line) -> None:
    ahead = line.checkout(new_card(), 1 * YUAN)
    ahead["occurred_at"] = (datetime.fromisoformat(ahead["occurred_at"]) + timedelta(minutes=11)).isoformat()
    refused = await line.http.post(f"{line.stack.url('ingest')}/v1/checkouts", json=ahead)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/occurred_at")
    card = new_card()
    member = await line.register(card)
    key, behind = "pos.acme/0457/03", line.checkout(card, 5 * YUAN)
    await line.send(*(Message("checkouts", key, json.dumps(each).encode(), {}) for each in (ahead, behind)))
    await line.until_points(member, 5)
    dead = await line.query("SELECT code, pointer FROM ingest.dead_letter WHERE key = :key", key=key)
    assert dead == [("occurred_in_future", "/occurred_at")]


async def test_facts_that_are_sent_again_change_nothing_for_those_who_have_them(line: Line) -> None:
    card = new_card()
    unclaimed = await line.sell(line.checkout(new_card(), 1 * YUAN))
    await line.outcome(unclaimed, "unclaimed")
    member = await line.register(card)
    await line.sell(line.checkout(card, 5_000 * YUAN))
    await line.until_message(member, "sent")
    await line.until_tier_applied(member)
    keys = dict.fromkeys(("purchases", "points", "tiers", "members", "messages"), member)
    keys |= {"outcomes": unclaimed, "programme": "programme"}
    first = {topic: await line.facts_of(topic, key) for topic, key in keys.items()}
    for topic, key in keys.items():
        assert sum((await line.loyalty("republish", topic, key))["facts"].values()) == len(first[topic])
    for topic, key in keys.items():
        await line.eventually(partial(is_there_twice, line, topic, key, first[topic]))
    await line.sell(line.checkout(card, 10 * YUAN))
    await line.until_points(member, 5_015)
    assert [each["fate"] for each in (await line.until_message(member, "sent"))["steps"]].count("sent") == 1
    assert not [each for each in (await line.loyalty("lag"))["partitions"] if each["state"] != "running"]
    await assert_the_books_hold(line)


async def test_nothing_personal_leaves_the_door(line: Line) -> None:
    card = new_card()
    member = await line.register(card, name="Zaphod Beeblebrox", locale="en-GB")
    await line.sell(line.checkout(card, 1_000 * YUAN, attributes={"cashier": "Slartibartfast"}))
    await line.until_message(member, "sent")
    traces = [trace.encode() for trace in (card, address_of(card), "Zaphod", "Slartibartfast")]
    for topic in {spec.name for spec in topic_specs()} - MAY_BE_PERSONAL:
        for record in await line.records(topic):
            told = (record.value or b"") + repr((record.key, dict(record.headers))).encode()
            assert not [trace for trace in traces if trace in told], topic
    for schema, table in await line.query(TABLES):
        words = [word for trace in traces for word in (f"%{trace.decode()}%", f"%{trace.hex()}%")]
        sql = f'SELECT count(*) FROM "{schema}"."{table}" AS t WHERE t::text LIKE ANY (:words)'
        assert await line.query(sql, words=words) == [(0,)], f"{schema}.{table}"
    for service in line.stack.services:
        log = (line.logs / f"{service}.log").read_bytes()
        assert log
        assert not [trace for trace in traces if trace in log], service


async def test_services_killed_under_load_lose_and_repeat_nothing_and_the_books_hold(line: Line) -> None:
    cards = [new_card() for _ in range(5)]
    members = await asyncio.gather(*map(line.register, cards))
    sales = [line.checkout(card, 3 * YUAN) for card in cards for _ in range(20)]
    for part, victim in enumerate(("ledger", "tiering")):
        await asyncio.gather(*(line.sell(sale) for sale in sales[part * 30 : part * 30 + 30]))
        await kill(line, victim)
    await asyncio.gather(*(line.sell(sale) for sale in sales[60:]))
    await asyncio.gather(*(line.until_points(member, 60) for member in members))
    await assert_the_books_hold(line)


async def is_there_twice(line: Line, topic: str, key: str, facts: list[bytes | None]) -> bool | None:
    return await line.facts_of(topic, key) == facts * 2 or None


async def test_the_ledger_loses_its_schema_and_goes_on_where_it_was(line: Line) -> None:
    card, pid = new_card(), line.stack.services["ledger"].pid
    member = await line.register(card)
    await line.sell(line.checkout(card, 40 * YUAN))
    await line.until_points(member, 40)
    first = await redeemed(line, member)
    await line.eventually(lambda: is_relayed(line))

    filled = await lost_and_filled(line)

    assert filled.comparison.equal, filled.comparison.difference
    await line.sell(line.checkout(card, 5 * YUAN))
    await line.until_ready("ledger", not_pid=pid)
    assert await redeemed(line, member) == first
    await line.until_points(member, 35)
    await assert_the_books_hold(line)


async def redeemed(line: Line, member: str) -> dict[str, Any]:
    """Ten points, under the same key each time."""
    body = {"unit": "points", "points": 10, "order": "R-1"}
    path = f"/v1/members/{member}/redemptions"
    return await line.write("POST", "ledger", path, json=body, headers={"Idempotency-Key": "flowers"})


async def is_relayed(line: Line) -> bool | None:
    return not await line.query("SELECT 1 FROM ledger.outbox LIMIT 1") or None


async def lost_and_filled(line: Line) -> Filled:
    url = line.stack.database_url
    settings = ServiceSettings.load("ops", kafka=line.kafka.bootstrap, topic_prefix=line.kafka.prefix, database_url=url)
    books = Database(create_engine(url, role=None, schema="ledger", pool_size=2))
    try:
        return await lose_and_fill_ledger(books, settings, no_progress)
    finally:
        await books.dispose()


async def kill(line: Line, service: str) -> None:
    """SIGKILL; the supervisor starts it again, and the group need not miss the dead one for half a minute."""
    pid = line.stack.services[service].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await line.eventually(lambda: has_left(line, service, pid))
    await expel_members(line.kafka, service)
    await line.until_ready(service, not_pid=pid)


async def has_left(line: Line, service: str, pid: int) -> bool | None:
    return line.stack.services[service].pid != pid or None


async def assert_the_books_hold(line: Line) -> None:
    verdict = await line.loyalty("verify", "ledger")
    assert (verdict["holds"], verdict["offence"]) == (True, None)
    compared = await line.loyalty("rebuild", "ledger", "--from", "topic")
    assert compared["equal"]
    assert compared["digest_live"] == compared["digest_rebuilt"]
    assert compared["facts"] > 0
