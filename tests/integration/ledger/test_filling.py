"""Books that were lost are made again from their topic, and nothing happens a second time."""

import json
from datetime import datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced
from sqlalchemy import text

from schemas.purchases import PurchaseLine
from services.ledger.application.replay import StreamError
from services.runtime.errors import HaltError, NotReady
from services.runtime.ports import Message
from services.runtime.process.definition import system_clock
from tests.support.ledger import WEDNESDAY, LedgerService, id_of, local, new_member, purchase, review, tier_change
from tests.support.points_streams import member
from tests.support.rebuilding import Rebuilder
from tests.support.till import Till, new_programme, points

MEMBERS = sorted(new_member() for _ in range(6))
SPENDER = MEMBERS[0]
INPUTS = {"programme": 1, "members": 6, "purchases": 14, "activities": 6, "tiers": 1}
TABLES = {
    "entry": "SELECT * FROM entry ORDER BY member_id, member_seq",
    "account": "SELECT * FROM account ORDER BY member_id",
    "due": "SELECT * FROM due ORDER BY member_id",
    "member_status": "SELECT * FROM member_status ORDER BY member_id",
    "reward_stock": "SELECT * FROM reward_stock ORDER BY reward",
    "document_version": "SELECT * FROM document_version ORDER BY version",
    "outbox": "SELECT * FROM outbox",
}


@pytest.fixture
def rebuilder(ledger: LedgerService, database_url: str) -> Rebuilder:
    return Rebuilder(ledger, database_url)


@pytest.fixture
async def lived(rebuilder: Rebuilder) -> dict[str, Any]:
    """A life with everything in it: sales, returns, reviews, a tier, redemptions, one cancelled, an expiry.

    Answers what the till was told under the keys `order`, `mug` and `undo`; all facts are on the topic.
    """
    ledger, till = rebuilder.ledger, Till(rebuilder.ledger)
    sales = [purchase(each, 10_000) for each in MEMBERS for _ in range(2)]
    await ledger.running.send(new_programme(), *(member(each, WEDNESDAY) for each in MEMBERS))
    await ledger.running.send(*sales, *(review(each) for each in MEMBERS))
    async with ledger.running.working():
        await ledger.until_recorded(18)
        await ledger.until_read("members", INPUTS["members"])
        await ledger.running.send(*(_returned(sale) for sale in sales[-2:]))
        await ledger.running.send(tier_change(MEMBERS[1], "gold", since=local(2026, 4, 1)))
        await ledger.until_recorded(21)
        told = {
            "order": (await till.ask(SPENDER, points(60), "order")).json(),
            "mug": (await till.ask(SPENDER, {"reward": "mug"}, "mug")).json(),
            "other": (await till.ask(MEMBERS[2], {"reward": "mug"}, "other")).json(),
        }
        told["undo"] = (await till.cancel(MEMBERS[2], told["other"]["redemption_id"], "undo")).json()
        ledger.clock.now = local(2027, 4, 1)
        await ledger.settle()
        await ledger.until_outbox_is_empty()
    return told


async def test_books_made_again_are_the_same_row_by_row(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    before = await contents(rebuilder.ledger)
    await rebuilder.lose_everything()
    filled = await rebuilder.fill()

    assert filled.comparison.equal, filled.comparison.difference
    assert (filled.added, filled.comparison.facts, filled.comparison.members) == (len(before["entry"]),) * 2 + (6,)
    assert await contents(rebuilder.ledger) == before
    assert await rebuilder.ledger.offence() is None
    await rebuilder.ledger.running.check_guard()


async def test_a_redemption_whose_answer_was_lost_with_the_books_happens_once(
    lived: dict[str, Any], rebuilder: Rebuilder
) -> None:
    ledger, till = rebuilder.ledger, Till(rebuilder.ledger)
    await rebuilder.lose_everything()
    await rebuilder.fill()

    again = await till.ask(SPENDER, points(60), "order")
    undone = await till.cancel(MEMBERS[2], lived["other"]["redemption_id"], "undo")
    other_body = await till.ask(SPENDER, points(10), "order")

    assert (again.status_code, again.json()) == (201, lived["order"])
    assert (undone.status_code, undone.json()) == (200, lived["undo"])
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    facts = [fact for fact in await ledger.facts(SPENDER) if fact["type"] == "points_redeemed"]
    assert [fact["command"]["key"] for fact in facts] == ["order", "mug"]


async def test_every_input_is_read_again_and_leaves_no_new_fact(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    ledger = rebuilder.ledger
    before = await contents(ledger)
    await rebuilder.lose_everything()
    await rebuilder.fill()
    async with ledger.running.working():
        for topic, records in INPUTS.items():
            await ledger.until_read(topic, records)
        assert await ledger.settle() == 0
        assert await contents(ledger) == before
        # And life goes on behind the last fact.
        await ledger.running.send(purchase(SPENDER, 1_000, at=ledger.clock.now))
        await ledger.until_recorded(len(before["entry"]) + 1)
    assert (await rebuilder.ledger.facts(SPENDER))[-1]["type"] == "purchase_recorded"


async def test_stock_and_allowances_are_as_they_were(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    till = Till(rebuilder.ledger)
    await rebuilder.lose_everything()
    await rebuilder.fill()
    rebuilder.ledger.clock.now = local(2027, 4, 2)
    sales = [purchase(each, 10_000, at=local(2027, 4, 2)) for each in MEMBERS]
    await rebuilder.ledger.record(new_programme(), *sales)

    await till.redeemed(SPENDER, {"reward": "mug"})
    assert (await till.refused(SPENDER, {"reward": "mug"}))["reason"] == "member_limit"
    await till.redeemed(MEMBERS[1], {"reward": "mug"})
    assert (await till.refused(MEMBERS[2], {"reward": "mug"}))["reason"] == "out_of_stock"


async def test_a_blocked_member_cannot_spend_before_the_members_are_read_again(
    lived: dict[str, Any], rebuilder: Rebuilder
) -> None:
    blocked = member(SPENDER, WEDNESDAY, version=2)
    changed = json.loads(blocked.value or b"") | {"status": "blocked"}
    await rebuilder.ledger.running.send(Message("members", SPENDER, json.dumps(changed).encode(), blocked.headers))
    await rebuilder.lose_everything()
    await rebuilder.fill()
    assert (await Till(rebuilder.ledger).refused(SPENDER, points(10)))["code"] == "member_not_active"


async def test_purchases_need_not_wait_for_the_programme_once_the_books_are_open(
    lived: dict[str, Any], rebuilder: Rebuilder
) -> None:
    before = system_clock()
    await rebuilder.lose_everything()
    await rebuilder.fill()
    async with rebuilder.ledger.running.owner.read() as connection:
        assert await connection.scalar(text("SELECT confirmed_at FROM document_confirmation")) >= before


async def test_nobody_writes_the_books_before_they_are_whole(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    ledger = rebuilder.ledger
    await rebuilder.lose_everything()
    # A fact of the last partition that is not theirs stops the fill where most of it is done.
    records = await ledger.running.published("points")
    victim = next(record for record in records if record.partition == 1)
    await ledger.plant(STRANGE_FACT, member=victim.key)
    with pytest.raises(StreamError, match=f"member {victim.key}, number 1: the books hold another fact"):
        await rebuilder.fill()
    assert await ledger.entries() > 1

    with pytest.raises(HaltError, match="loyalty rebuild ledger --from topic"):
        await ledger.running.check_guard()
    refused = await Till(ledger).ask(SPENDER, points(10))
    assert (refused.status_code, refused.json()["detail"]) == (503, "the books are closed while they are rebuilt")
    with pytest.raises(NotReady):
        await ledger.record(new_programme(), purchase(SPENDER, at=WEDNESDAY))

    await ledger.plant("DELETE FROM entry WHERE member_id = CAST(:member AS uuid)", member=victim.key)
    assert (await rebuilder.fill()).comparison.equal
    await ledger.running.check_guard()


async def test_a_relay_of_the_lost_ledger_is_fenced(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    kafka = rebuilder.ledger.running.context.kafka
    zombie = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=kafka.physical("ledger.relay.0"), request_timeout_ms=5_000
    )
    await zombie.start()
    try:
        await zombie.begin_transaction()
        await zombie.send_and_wait(kafka.physical("points"), key=SPENDER.encode(), value=b"late")
        await rebuilder.lose_everything()
        filled = await rebuilder.fill()
        with pytest.raises(ProducerFenced):
            await zombie.commit_transaction()
    finally:
        await zombie.stop()
    assert filled.comparison.equal
    assert len(await rebuilder.ledger.running.published("points")) == filled.comparison.facts


async def test_the_command_fills_what_is_empty_and_says_so(lived: dict[str, Any], rebuilder: Rebuilder) -> None:
    await rebuilder.lose_everything()
    code, out, _ = await rebuilder.loyalty("verify", "--json")
    assert (code, json.loads(out)["offence"]["check"]) == (1, "topic")
    code, out, _ = await rebuilder.loyalty("rebuild", "ledger", "--from", "topic")
    assert code == 0
    assert "facts were missing and are in the books again" in out
    assert "equal: the same history and the same fold" in out
    code, out, _ = await rebuilder.loyalty("verify", "--json")
    assert (code, json.loads(out)["holds"]) == (0, True)
    # Now that they hold all, the same command compares.
    code, out, _ = await rebuilder.loyalty("rebuild", "ledger", "--json")
    assert (code, json.loads(out)["equal"], "added" in json.loads(out)) == (0, True, False)


STRANGE_FACT = """
INSERT INTO entry (member_id, member_seq, event_id, part, type, occurred_at, recorded_at, fact, hash)
VALUES (CAST(:member AS uuid), 1, CAST(:member AS uuid), 0, 'x', now(), now(), 'x', sha256('x'))
"""


async def contents(ledger: LedgerService) -> dict[str, list[tuple[Any, ...]]]:
    async with ledger.running.owner.read() as connection:
        return {name: [tuple(row) for row in await connection.execute(text(sql))] for name, sql in TABLES.items()}


def _returned(sale: Message, at: datetime = WEDNESDAY) -> Message:
    back = PurchaseLine(line=1, sku="sku-1", net=4_000, of_line=1)
    return purchase(sale.key, lines=(back,), kind="return", original_id=id_of(sale), sequence=7, at=at)
