"""What Kafka may do to a purchase: bring it twice, early, in parts or to another owner. It counts once."""

import asyncio
import uuid
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from sqlalchemy import text

from services.ledger.application.recording import ConflictingEventError
from services.runtime.errors import NotReady
from tests.support.ledger import (
    PATIENT,
    WEDNESDAY,
    LedgerService,
    id_of,
    ledger_service,
    local,
    new_member,
    programme,
    purchase,
    review,
    tier_change,
)
from tests.support.running_services import eventually


async def test_a_purchase_counts_once_in_one_batch_in_two_and_when_its_topic_is_read_again(
    ledger: LedgerService,
) -> None:
    member = new_member()
    sale = purchase(member, 1000)
    await ledger.running.send(programme(), sale, sale)
    async with ledger.running.working():
        await ledger.until_read("purchases", 2)
        await ledger.running.send(sale)
        await ledger.until_read("purchases", 3)
    assert await ledger.entries() == 1
    await ledger.query("UPDATE checkpoint SET next_offset = 0 WHERE topic = 'purchases' RETURNING 1")
    async with ledger.running.working():
        await ledger.until_read("purchases", 3)
        await ledger.running.send(purchase(member, 500))
        await ledger.until_recorded(2)
    assert (await ledger.points(member))["available"] == 15
    assert await ledger.offence() is None


async def test_one_event_twice_in_a_batch_is_decided_once(books: LedgerService) -> None:
    member = new_member()
    sale, checked_in = purchase(member), review(member)
    await books.record(sale, sale, checked_in, checked_in)
    assert await books.entries() == 2


async def test_two_contents_of_one_event_in_a_batch_leave_nothing(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member)
    with pytest.raises(ConflictingEventError):
        await books.record(sale, purchase(member, event_id=id_of(sale), fingerprint="c" * 64))
    assert await books.entries() == 0


async def test_another_content_under_a_known_id_stops_its_partition_and_no_other(ledger: LedgerService) -> None:
    victim, *others = member_in(0), *(member_in(1) for _ in range(3))
    first = purchase(victim)
    await ledger.running.send(programme(), first)
    async with ledger.running.working():
        await ledger.until_recorded(1)
        forged = purchase(victim, event_id=id_of(first), fingerprint="c" * 64)
        await ledger.running.send(purchase(victim), forged, purchase(victim))
        stopped = await ledger.until_partition("purchases", "stopped")
        await ledger.running.send(purchase(victim), *map(purchase, others))
        # The sale before the forged one is committed, what stands behind it waits.
        await ledger.until_recorded(5)
        consumer = ledger.running.context.consumer
        assert consumer is not None
        assert [(each.topic, each.partition) for each in consumer.status().stopped] == [("purchases", 0)]
    assert stopped.cause is not None
    assert f"event {id_of(first)} of member {victim} has two contents" in stopped.cause
    assert await ledger.entries() == 5
    assert await ledger.offence() is None


async def test_what_cannot_be_decided_stops_its_partition_with_the_cause(ledger: LedgerService) -> None:
    buyer, climber = new_member(), new_member()
    await ledger.running.send(
        programme(),
        purchase(buyer),
        purchase(buyer, kind="return", original_id=new_member()),
        tier_change(climber, "silver", since=local(2026, 2, 1)),
        tier_change(climber, "gold", since=local(2026, 3, 1), number=3),
        review(buyer),
    )
    async with ledger.running.working():
        undecided = await ledger.until_partition("purchases", "stopped")
        gap = await ledger.until_partition("tiers", "stopped")
        await ledger.until_recorded(3)
    assert "OriginalMissingError" in (undecided.cause or "")
    assert "expected tier change 2, found 3" in (gap.cause or "")
    assert await ledger.offence() is None


async def test_purchases_wait_visibly_for_a_programme_and_tiers_do_not(ledger: LedgerService) -> None:
    buyer, climber = new_member(), new_member()
    await ledger.running.send(purchase(buyer), tier_change(climber, "gold", since=local(2026, 2, 1)))
    async with ledger.running.working():
        waiting = await ledger.until_partition("purchases", "waiting")
        await ledger.until_recorded(1)
        assert waiting.cause is not None
        assert "no programme is known yet" in waiting.cause
        await ledger.running.send(programme())
        await ledger.until_recorded(2)
    assert (await ledger.points(buyer))["available"] == 10


async def test_a_programme_whose_end_was_not_confirmed_lately_is_no_ground_for_a_decision(books: LedgerService) -> None:
    books.clock.now = WEDNESDAY + timedelta(minutes=5)
    await books.record(purchase(new_member()))
    books.clock.now += timedelta(seconds=1)
    with pytest.raises(NotReady, match="not confirmed lately"):
        await books.record(purchase(new_member()))
    assert await books.entries() == 1


async def test_the_first_facts_of_a_member_may_come_from_three_topics_at_once(ledger: LedgerService) -> None:
    members = [new_member() for _ in range(20)]
    await ledger.running.send(programme())
    async with ledger.running.working(), ledger.running.owner.engine.connect() as holder:
        # Held back until at least two batches want to make the same accounts.
        held = await holder.begin()
        await holder.execute(PATIENT)
        making = text("INSERT INTO account (member_id) SELECT unnest(CAST(:ids AS uuid[]))")
        await holder.execute(making, {"ids": members})
        await ledger.running.send(
            *(purchase(member) for member in members),
            *(review(member) for member in members),
            *(tier_change(member, "gold", since=local(2026, 2, 1)) for member in members),
        )
        await eventually(lambda: ledger.has_waiting_sessions("INSERT INTO account", 2))
        await held.rollback()
        await ledger.until_recorded(60)
    assert await ledger.offence() is None
    for member in members[:3]:
        types = sorted(fact["type"] for fact in await ledger.facts(member))
        assert types == ["activity_recorded", "purchase_recorded", "tier_applied"]


async def test_two_owners_that_share_and_part_under_load_lose_and_repeat_nothing(
    ledger: LedgerService, database_url: str, tmp_path: Path
) -> None:
    kafka = ledger.running.context.kafka
    members = [new_member() for _ in range(40)]
    sales = [purchase(members[number % 40], 100, event_id=str(uuid.uuid4())) for number in range(1_200)]
    await ledger.running.send(programme())
    async with AsyncExitStack() as other, ledger.running.working():
        second = await other.enter_async_context(
            ledger_service(database_url=database_url, keys=tmp_path, kafka=kafka.bootstrap, topic_prefix=kafka.prefix)
        )
        for part in range(3):
            await ledger.running.send(*sales[part * 400 : part * 400 + 300])
            async with second.running.working():
                await asyncio.gather(
                    ledger.running.send(*sales[part * 400 + 300 : part * 400 + 400]), eventually(lambda: shares(second))
                )
        await ledger.until_recorded(1_200)
        await ledger.running.until_published("points", 1_200)
    assert await ledger.entries() == 1_200
    for member in members[:3]:
        assert (await ledger.points(member))["available"] == 30
    assert await ledger.offence() is None


async def test_the_job_and_purchases_may_settle_the_same_accounts_at_once(books: LedgerService) -> None:
    members = [new_member() for _ in range(60)]
    await books.record(*(purchase(member, 1000) for member in members))
    books.clock.now = local(2027, 5, 1)
    await books.record(programme())
    later = [purchase(member, 500, at=local(2027, 4, 30)) for member in members]
    await asyncio.gather(books.settle(), books.record(*later[:40]), books.settle(), books.record(*later[20:]))
    assert await books.settle() == 0
    assert await books.entries() == 180
    for member in members[::20]:
        points = await books.points(member)
        assert (points["available"], points["expired"]) == (5, 10)
    assert await books.offence() is None


async def shares(ledger: LedgerService) -> bool:
    consumer = ledger.running.context.consumer
    told = consumer.status() if consumer else None
    return told is not None and told.assigned and len(told.partitions) > 0


def member_in(partition: int) -> str:
    """A new member whose records go to this one of two partitions."""
    of_key = DefaultPartitioner()
    return next(each for each in iter(new_member, "") if of_key(each.encode(), [0, 1], [0, 1]) == partition)
