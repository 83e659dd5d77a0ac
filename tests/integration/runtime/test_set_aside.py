"""Dead letters and parked keys, handled again beside a running consumer, on a real broker and a real database."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.parking import CannotPark, ParkedKey, park_key
from services.runtime.kafka.redrive import APPLY_AT_ONCE, Redriver, Release
from services.runtime.ports import Message, Record
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process.set_aside import tell_set_aside
from services.runtime.telemetry.metrics import Metrics
from tests.support.counting_handler import GROUP, INPUT, ConfirmingHandler, CountingHandler, MendedHandler, PlainSeal
from tests.support.counting_world import World, keys_in_order, until


def redriver(world: World, handler: Handler[Any], by: str = "ann") -> Redriver:
    return Redriver(service=GROUP, database=world.database, handlers={INPUT: handler}, seal=PlainSeal(), by=by)


async def park_where_it_stopped(world: World, key: str) -> ParkedKey:
    (row,) = await world.query("SELECT partition, next_offset FROM checkpoint WHERE state = 'stopped'")
    of = PartitionId(GROUP, INPUT, row.partition)
    async with world.database.begin() as uow:
        return await park_key(uow, of, key=key, offset=row.next_offset, by="ann")


async def park_by_hand(world: World, key: str) -> None:
    await world.execute(
        "INSERT INTO parked_key VALUES (:group, :topic, :key, 'ann')", group=GROUP, topic=INPUT, key=key
    )


@pytest.mark.parametrize("poison", ["trip", "broken"])
async def test_a_stopped_partition_goes_on_once_the_key_is_parked_and_the_key_comes_back_in_order(
    world: World, poison: str
) -> None:
    first, second = await two_keys_of_one_partition(world)
    words = [(first, "count"), (first, poison), (second, "count"), (first, "count"), (second, "count"), (first, poison)]
    await world.publish(words, first=100)
    async with world.running(CountingHandler()) as loop:
        await until(lambda: has_counted_id(world, "e100"), "what stands before the poison is committed")
        await until(lambda: is_stopped(world), "the partition has stopped")
        assert (await park_where_it_stopped(world, first)).key == first
        await until(lambda: has_counted_id(world, "e104"), "the other key goes on without a restart")
        await until(lambda: has_parked(world, 3), "the rest of the key is kept")
        assert not loop.status().stopped
        assert await world.query("SELECT 1 FROM checkpoint WHERE state <> 'running' OR cause IS NOT NULL") == []
        assert await redriver(world, MendedHandler()).key(INPUT, first) == Release(INPUT, first, 3, 0, 0)
        await world.publish([(first, "count")], first=200)
        await until(lambda: has_counted_id(world, "e200"), "the released key is handled again")
    rows = await world.query("SELECT key, ce_id FROM counted WHERE ce_id LIKE 'e1__' OR ce_id LIKE 'e2__' ORDER BY id")
    assert keys_in_order(rows) == {first: ["e100", "e101", "e103", "e105", "e200"], second: ["e102", "e104"]}
    assert await world.query("SELECT 1 FROM parked_key") == []


async def test_a_record_that_arrives_while_its_key_is_redriven_comes_after(world: World) -> None:
    handler = SlowHandler()
    await park_by_hand(world, "k")
    await world.publish([("k", "count"), ("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_parked(world, 2), "both are parked")
        redriving = asyncio.create_task(redriver(world, handler).key(INPUT, "k"))
        await handler.began.wait()
        await world.publish([("k", "count")], first=2)
        await until(lambda: is_waiting_for_the_position(world), "the consumer waits for the position")
        handler.go_on.set()
        await redriving
        await until(lambda: has_counted_id(world, "e2"), "the later one is handled")
    assert await world.counted() == ["e0", "e1", "e2"]
    assert await world.query("SELECT 1 FROM parked UNION ALL SELECT 1 FROM parked_key") == []


async def test_where_one_fails_again_those_before_it_are_through_and_the_rest_stays_parked(world: World) -> None:
    await parked(world, "count", "count", "trip", "count")
    release = await redriver(world, CountingHandler()).key(INPUT, "k")
    assert (release.applied, release.left) == (2, 2)
    assert release.refusal
    assert "AssertionError: tripped at" in release.refusal.cause
    assert await world.counted() == ["e0", "e1"]
    assert await redriver(world, MendedHandler()).key(INPUT, "k") == Release(INPUT, "k", 2, 0, 0)
    assert await world.counted() == ["e0", "e1", "e2", "e3"]


async def test_a_parked_record_that_cannot_be_read_becomes_the_dead_letter_that_it_would_have_been(
    world: World,
) -> None:
    await parked(world, "count", "poison", "count", "refuse", "count")
    assert await redriver(world, CountingHandler()).key(INPUT, "k") == Release(INPUT, "k", 3, 2, 0)
    assert await world.counted() == ["e0", "e2", "e4"]
    letters = await world.query('SELECT code, state, sealed FROM dead_letter ORDER BY "offset"')
    assert [(each.code, each.state) for each in letters] == [("unreadable", "open"), ("refused", "open")]
    assert all(each.sealed.startswith(b"sealed:dead_letter/") for each in letters)


async def test_a_handler_that_is_not_ready_changes_nothing(world: World) -> None:
    await parked(world, "count", "wait")
    release = await redriver(world, CountingHandler()).key(INPUT, "k")
    assert (release.applied, release.left) == (0, 2)
    assert release.refusal
    assert release.refusal.later
    assert "nobody has said when" in release.refusal.cause
    assert await world.query("SELECT count(*) FROM parked") == [(2,)]
    assert await world.query("SELECT count(*) FROM parked_key") == [(1,)]


async def test_a_redrive_that_is_interrupted_can_be_begun_again(world: World) -> None:
    await parked(world, "count", "count")
    handler = SlowHandler()
    interrupted = asyncio.create_task(redriver(world, handler).key(INPUT, "k"))
    await handler.began.wait()
    interrupted.cancel()
    await asyncio.wait([interrupted])
    assert await world.query("SELECT count(*) FROM parked") == [(2,)]
    assert await redriver(world, CountingHandler()).key(INPUT, "k") == Release(INPUT, "k", 2, 0, 0)
    assert await world.counted() == ["e0", "e1"]


async def test_a_long_queue_comes_back_in_order_also_when_two_redrive_it_at_once(world: World) -> None:
    count = 2 * APPLY_AT_ONCE + 7
    await parked(world, *["count"] * count)
    both = await asyncio.gather(*(redriver(world, CountingHandler()).key(INPUT, "k") for _ in range(2)))
    assert sum(each.applied for each in both) == count
    assert await world.counted() == [f"e{number}" for number in range(count)]


async def test_the_end_of_a_topic_is_told_together_with_whether_a_key_of_it_is_parked(world: World) -> None:
    handler = ConfirmingHandler()
    await park_by_hand(world, "k")
    async with world.running(handler):
        await world.publish([("k", "count"), ("other", "count")])
        await until(lambda: has_parked(world, 1), "it is parked")
        await until(lambda: has_counted_id(world, "e1"), "the other one is counted")
        before = len(handler.caught_up_at)
        await redriver(world, CountingHandler()).key(INPUT, "k")

        async def is_told() -> bool:
            return len(handler.caught_up_at) > before

        await until(is_told, "it is told once the key is back")
    assert before == 0


async def test_what_waits_for_a_person_is_told_to_the_metrics(world: World) -> None:
    await parked(world, "count", "count")
    await world.publish([("other", "poison")], first=2)
    async with world.running(CountingHandler()):
        await until(lambda: has_letters(world, 1), "it is set aside")
    metrics, stop = Metrics(), asyncio.Event()
    telling = asyncio.create_task(tell_set_aside(world.database, metrics, GROUP, [INPUT, "calm"], stop))

    async def is_told() -> bool:
        return b'loyalty_consumer_parked_keys{topic="calm"} 0.0' in metrics.exposition()

    await until(is_told, "the gauges are set")
    stop.set()
    await telling
    assert b'loyalty_consumer_parked_keys{topic="input"} 1.0' in metrics.exposition()
    assert b'loyalty_consumer_dead_letters_open{topic="input"} 1.0' in metrics.exposition()


async def test_the_number_and_the_hash_of_a_fact_are_kept_beside_it(world: World) -> None:
    await park_by_hand(world, "k")
    headers = {"ce_id": "e0", "member_seq": "7", "hash": "ab" * 32, "note": "880012345678"}
    await world.send(Message(INPUT, "k", b"count", headers))
    async with world.running(CountingHandler()):
        await until(lambda: has_parked(world, 1), "it is parked")
    (row,) = await world.query("SELECT headers FROM parked")
    assert row.headers == {name: value for name, value in headers.items() if name != "note"}


async def test_what_is_decided_cannot_be_parked(world: World) -> None:
    await world.publish([("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted_id(world, "e0"), "it is counted")
    (row,) = await world.query("SELECT partition FROM counted")
    for partition, words in ((row.partition, "what came of record 0 is decided"), (99, "holds no position")):
        with pytest.raises(CannotPark, match=words):
            async with world.database.begin() as uow:
                await park_key(uow, PartitionId(GROUP, INPUT, partition), key="k", offset=0, by="ann")
    assert await world.query("SELECT 1 FROM parked_key") == []


async def test_a_dead_letter_is_handled_once_with_its_first_position_when_its_reader_is_mended(world: World) -> None:
    await world.publish([("k", "count"), ("k", "poison"), ("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted_id(world, "e2"), "the good ones are counted")
    (letter,) = await world.query('SELECT id, partition, "offset" FROM dead_letter')
    refusal = await redriver(world, CountingHandler()).letter(letter.id)
    assert refusal
    assert "unreadable: not a word that counts at /word" in refusal.cause
    assert await world.query("SELECT state, decided_by FROM dead_letter") == [("open", None)]
    both = await asyncio.gather(*(redriver(world, MendedHandler(), by).letter(letter.id) for by in ("ann", "bob")))
    causes = [each.cause for each in both if each is not None]
    assert causes in (["it was redriven by ann"], ["it was redriven by bob"])
    (row,) = await world.query("SELECT partition, \"offset\" FROM counted WHERE ce_id = 'e1'")
    assert row == (letter.partition, letter.offset)
    (decided,) = await world.query("SELECT state, decided_by, decided_at, sealed FROM dead_letter")
    assert decided.sealed is None
    assert decided.state == "redriven"
    assert decided.decided_by in ("ann", "bob")
    assert decided.decided_at is not None


async def test_a_dead_letter_whose_handler_fails_or_waits_stays_open(world: World) -> None:
    await world.publish([("k", "poison")])
    async with world.running(CountingHandler()):
        await until(lambda: has_letters(world, 1), "it is set aside")
    (letter,) = await world.query("SELECT id FROM dead_letter")
    for word, cause, later in (("trip", "tripped at", False), ("refuse", "not wanted", False), ("wait", "when", True)):
        refusal = await redriver(world, AlwaysHandler(word)).letter(letter.id)
        assert refusal
        assert cause in refusal.cause
        assert refusal.later is later
    assert await world.counted() == []
    unknown = await redriver(world, MendedHandler()).letter(letter.id + 1)
    assert unknown
    assert unknown.cause == "there is no such dead letter"
    nobody = Redriver(service=GROUP, database=world.database, handlers={}, seal=PlainSeal(), by="ann")
    assert (await nobody.letter(letter.id)) is not None
    assert await world.query("SELECT state FROM dead_letter") == [("open",)]


class SlowHandler(CountingHandler):
    """Stays inside its first transaction until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[str]]) -> None:
        self.began.set()
        await self.go_on.wait()
        await super().handle(uow, records)


class AlwaysHandler(CountingHandler):
    """Takes every record for one word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def decode(self, record: Record[bytes | None]) -> str:
        return self._word


async def parked(world: World, *words: str) -> None:
    """Of key `k`, with the ids e0, e1 …"""
    await park_by_hand(world, "k")
    await world.publish([("k", word) for word in words])
    async with world.running(CountingHandler()):
        await until(lambda: has_parked(world, len(words)), "all are parked")


async def two_keys_of_one_partition(world: World) -> tuple[str, str]:
    await world.publish([(f"key{number}", "count") for number in range(6)])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted_id(world, "e5"), "the keys are known")
        await until(lambda: has_counted(world, 6), "all of them")
    rows = await world.query("SELECT array_agg(key ORDER BY key) AS keys FROM counted GROUP BY partition")
    first, second, *_ = next(row.keys for row in rows if len(row.keys) > 1)
    return first, second


async def has_counted(world: World, count: int) -> bool:
    return len(await world.counted()) == count


async def has_counted_id(world: World, ce_id: str) -> bool:
    return ce_id in await world.counted()


async def has_parked(world: World, count: int) -> bool:
    return len(await world.query("SELECT 1 FROM parked")) == count


async def has_letters(world: World, count: int) -> bool:
    return len(await world.query("SELECT 1 FROM dead_letter")) == count


async def is_stopped(world: World) -> bool:
    return bool(await world.query("SELECT 1 FROM checkpoint WHERE state = 'stopped'"))


async def is_waiting_for_the_position(world: World) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await world.query(f"{sql} AND query LIKE '%FOR UPDATE OF c%'"))
