"""Several want the same points at once: the account's row decides, and everybody is told how it was."""

import asyncio

from sqlalchemy import text

from tests.support.ledger import PATIENT, LedgerService, new_member, purchase
from tests.support.running_services import eventually
from tests.support.till import NEW_STATUS, Till, new_programme, points

HOLD = text("SELECT 1 FROM account WHERE member_id = CAST(:id AS uuid) FOR UPDATE")


async def test_C10_of_twenty_redemptions_of_the_whole_balance_one_succeeds(till: Till) -> None:
    member = await till.member_with(100)

    answers = await asyncio.gather(*(till.ask(member, points(100)) for _ in range(20)))

    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 19
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(told["code"], told["available"], told["required"]) for told in refusals} == {
        ("insufficient_points", 0, 100)
    }
    assert await till.ledger.entries() == 2
    assert await till.ledger.offence() is None


async def test_twenty_requests_with_one_key_are_one_redemption(till: Till) -> None:
    member = await till.member_with(100)

    answers = await asyncio.gather(*(till.ask(member, points(30), "k") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await till.available(member) == 70


async def test_the_last_three_of_a_stock_go_to_three_of_twenty_members(till: Till) -> None:
    members = [await till.member_with(10) for _ in range(20)]

    answers = await asyncio.gather(*(till.ask(member, {"reward": "mug"}) for member in members))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 17
    assert await till.ledger.offence() is None


async def test_redeeming_and_cancelling_at_once_neither_lose_nor_make_points(till: Till) -> None:
    member = await till.member_with(100)
    redemption = (await till.redeemed(member, points(100)))["redemption_id"]

    answers = await asyncio.gather(
        *(till.cancel(member, redemption) for _ in range(4)), *(till.ask(member, points(100)) for _ in range(4))
    )

    assert [answer.status_code for answer in answers[:4]].count(200) == 1
    redeemed = [answer.status_code for answer in answers[4:]].count(201)
    assert await till.available(member) == 100 - 100 * redeemed
    assert await till.ledger.offence() is None


async def test_an_account_that_is_held_for_two_seconds_is_busy_and_the_key_may_come_again(till: Till) -> None:
    member = await till.member_with(100)
    async with till.ledger.running.owner.begin() as holder:
        await holder.connection.execute(PATIENT)
        await holder.connection.execute(HOLD, {"id": member})
        async with asyncio.timeout(4):
            answer = await till.ask(member, points(60), "k")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "2")

    assert (await till.ask(member, points(60), "k")).status_code == 201
    assert await till.available(member) == 40


async def test_a_redemption_waits_for_the_batch_that_holds_its_member_and_sees_what_it_brought(till: Till) -> None:
    member = await till.member_with(10)
    ledger = till.ledger
    async with ledger.running.owner.begin() as holder:
        await holder.connection.execute(PATIENT)
        await holder.connection.execute(HOLD, {"id": member})
        batch = asyncio.create_task(ledger.record(purchase(member, 5_000)))
        await eventually(lambda: ledger.has_waiting_sessions("FROM account", 1))
        redemption = asyncio.create_task(till.ask(member, points(60)))
        await eventually(lambda: ledger.has_waiting_sessions("FROM account", 2))
    await batch
    answer = await redemption

    assert answer.status_code == 201
    assert [fact["type"] for fact in await ledger.facts(member)][1:] == ["purchase_recorded", "points_redeemed"]
    assert await ledger.offence() is None


async def test_a_new_members_first_sale_and_first_redemption_come_at_once(till: Till) -> None:
    ledger, members = till.ledger, [new_member() for _ in range(10)]
    for member in members:
        await ledger.query(NEW_STATUS, id=member, status="active")

    sales = [ledger.record(purchase(member, 5_000)) for member in members]
    answers, _ = await asyncio.gather(
        asyncio.gather(*(till.ask(member, points(50)) for member in members)), asyncio.gather(*sales)
    )

    for member, answer in zip(members, answers, strict=True):
        assert answer.status_code in (201, 409)
        assert await till.available(member) == (0 if answer.status_code == 201 else 50)
    assert await ledger.offence() is None


async def test_redemptions_beside_the_consumer_leave_sound_books_and_reach_the_topic(ledger: LedgerService) -> None:
    till, members = Till(ledger), [new_member() for _ in range(5)]
    await ledger.running.send(new_programme(), *(purchase(member, 10_000) for member in members))
    async with ledger.running.working():
        await ledger.until_recorded(5)
        sales = [purchase(member, 1_000) for member in members for _ in range(20)]
        asking = (till.ask(member, points(10)) for member in members for _ in range(10))
        answers, _ = await asyncio.gather(asyncio.gather(*asking), ledger.running.send(*sales))
        await ledger.until_recorded(5 + 100 + 50)
        records = await ledger.running.until_published("points", 155)
    assert {answer.status_code for answer in answers} == {201}
    assert [await till.available(member) for member in members] == [200] * 5
    assert {member: [r.headers["member_seq"] for r in records if r.key == member] for member in members} == {
        member: [str(number) for number in range(1, 32)] for member in members
    }
    assert await ledger.offence() is None


async def test_while_the_broker_is_away_points_are_spent_and_the_facts_wait(till: Till) -> None:
    # The till fixture's broker does not exist.
    member = await till.member_with(100)

    redemption = (await till.redeemed(member, points(60)))["redemption_id"]
    await till.cancel(member, redemption)

    waiting = await till.ledger.query("SELECT topic, key, ref FROM outbox ORDER BY id")
    assert [tuple(row) for row in waiting] == [
        ("points", member, "1"),
        ("points", member, "2"),
        ("points", member, "3"),
    ]
