"""What becomes of records, good and bad, on a real broker and a real database."""

from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from services.runtime.errors import HaltError
from services.runtime.kafka.checkpoints import PartitionId, move
from services.runtime.kafka.consumer import ConsumerLoop
from services.runtime.kafka.metrics import PartitionState
from services.runtime.kafka.reader import read_topic
from tests.support.counting_handler import GROUP, INPUT, ConfirmingHandler, CountingHandler, MendedHandler
from tests.support.counting_world import QUICK, World, keys_in_order, until
from tests.support.odd_records import send_with_an_odd_header


def spread(count: int, word: str = "count") -> list[tuple[str, str]]:
    return [(f"k{number % 7}", word) for number in range(count)]


def states(loop: ConsumerLoop) -> dict[int, PartitionState]:
    return {each.partition: each.state for each in loop.status().partitions}


async def test_every_record_is_applied_once_and_in_the_order_of_its_key(world: World) -> None:
    ids = await world.publish(spread(3_000))
    async with world.running(CountingHandler()) as loop:
        await until(lambda: has_counted(world, 3_000), "all are counted")
        await until(lambda: has_no_lag(loop), "no lag")
    rows = await world.query("SELECT ce_id, key FROM counted ORDER BY id")
    assert sorted(row.ce_id for row in rows) == sorted(ids)
    for found in keys_in_order(rows).values():
        assert found == sorted(found, key=lambda each: int(each[1:]))


async def test_a_restarted_consumer_goes_on_where_the_last_one_stopped(world: World) -> None:
    await world.publish(spread(50))
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 50), "the first half is counted")
    await world.publish(spread(50), first=50)
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 100), "the second half is counted")
    assert len(set(await world.counted())) == 100
    epochs = await world.query("SELECT epoch, state, last_id FROM checkpoint WHERE last_id IS NOT NULL")
    assert epochs
    assert all(row.epoch == 2 and row.state == "running" for row in epochs)


async def test_a_poison_record_becomes_a_sealed_dead_letter_and_the_rest_go_on(world: World) -> None:
    await world.publish([("k", "count"), ("k", "poison"), ("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 2), "the good ones are counted")
    (letter,) = await world.query("SELECT * FROM dead_letter")
    assert (letter.code, letter.pointer, letter.key, letter.state) == ("unreadable", "/word", "k", "open")
    assert (letter.event_ref, letter.headers) == ("known", {"ce_id": "e1"})
    assert letter.sealed.startswith(b"sealed:dead_letter/input/")
    assert b"poison" not in letter.sealed


async def test_a_record_that_the_handler_refuses_becomes_a_dead_letter(world: World) -> None:
    await world.publish([("k", "count"), ("k", "refuse"), ("k", "refuse"), ("k", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 2), "the good ones are counted")
    letters = await world.query('SELECT code, headers FROM dead_letter ORDER BY "offset"')
    assert [(row.code, row.headers["ce_id"]) for row in letters] == [("refused", "e1"), ("refused", "e2")]
    assert await world.counted() == ["e0", "e3"]


async def test_a_whole_batch_that_the_handler_refuses_holds_nobody_up(world: World) -> None:
    await world.publish([("bad", "refuse")] * 300 + [("bad", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "the good one is counted")
    assert len(await world.query("SELECT 1 FROM dead_letter")) == 300
    assert await world.query("SELECT 1 FROM checkpoint WHERE epoch > 1") == []


async def test_one_keys_bad_records_are_set_aside_without_limit(world: World) -> None:
    await world.publish([("bad", "poison")] * 60 + [("bad", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "the good one is counted")
    ((letters,),) = await world.query("SELECT count(*) FROM dead_letter")
    assert letters == 60


async def test_unreadable_records_of_twenty_keys_in_a_row_stop_the_partition(world: World) -> None:
    keys = await keys_of_one_partition(world, 20)
    await world.publish([(key, "poison") for key in keys], first=1_000)
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_stopped(loop), "the partition has stopped")
        (stopped,) = loop.status().stopped
        assert "unreadable records of 20 keys in a row" in (stopped.cause or "")
        assert stopped.lag_records == 1
    ((letters,),) = await world.query("SELECT count(*) FROM dead_letter")
    assert letters == 19
    # The run is remembered: another attempt does not set nineteen more aside.
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_stopped(loop), "it stops again")
    assert await world.query("SELECT count(*) FROM dead_letter") == [(19,)]


async def test_the_run_of_unreadable_keys_is_kept_over_batches_and_over_once_the_reader_is_mended(world: World) -> None:
    keys = await keys_of_one_partition(world, 20)
    await world.publish([(key, "poison") for key in keys] + [(keys[0], "count")], first=1_000)
    async with world.running(CountingHandler(), replace(QUICK, batch_records_max=3, batch_records_min=3)) as loop:
        await until(lambda: is_stopped(loop), "the partition has stopped")
    assert await world.query("SELECT count(*) FROM dead_letter") == [(19,)]
    async with world.running(MendedHandler()):
        await until(lambda: has_counted(world, 122), "the twentieth is read, and what follows")
    assert await world.query("SELECT 1 FROM checkpoint WHERE unreadable_run <> '{}'") == []


async def test_a_person_who_calls_a_stopped_partition_back_begins_the_run_anew(world: World) -> None:
    keys = await keys_of_one_partition(world, 20)
    await world.publish([(key, "poison") for key in keys], first=1_000)
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_noted_as_stopped(world), "the partition has stopped")
        (row,) = await world.query("SELECT partition, next_offset FROM checkpoint WHERE state = 'stopped'")
        async with world.database.begin() as uow:
            await move(uow, PartitionId(GROUP, INPUT, row.partition), to_offset=row.next_offset)
        await until(lambda: has_letters(world, 20), "the twentieth is set aside as well")
        await until(lambda: has_no_lag(loop), "the partition goes on without a restart")


async def test_a_tripped_assertion_stops_its_partition_with_the_cause_while_the_others_go_on(world: World) -> None:
    ids = await world.publish(spread(200))
    await world.publish([("k0", "count"), ("k0", "trip"), ("k0", "count")], first=200)
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_stopped(loop), "the partition has stopped")
        await until(lambda: has_counted(world, 201), "what stands before it is committed, and the others")
        await world.publish(spread(20), first=300)
        await until(lambda: has_counted_more(world, 201), "the other partitions go on")
        (stopped,) = loop.status().stopped
        assert "AssertionError: tripped at" in (stopped.cause or "")
        assert sorted(states(loop).values()) == ["running", "running", "stopped"]
    assert set(ids) | {"e200"} <= set(await world.counted())
    (row,) = await world.query("SELECT partition, cause FROM checkpoint WHERE state = 'stopped'")
    assert (row.partition, row.cause) == (stopped.partition, stopped.cause)


async def test_a_record_whose_decoding_fails_stops_its_partition_without_quoting_it(world: World) -> None:
    await world.publish([("k", "count"), ("k", "broken"), ("k", "count")])
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_stopped(loop), "the partition has stopped")
    assert await world.counted() == ["e0"]
    (row,) = await world.query("SELECT cause FROM checkpoint WHERE state = 'stopped'")
    assert "KeyError" in row.cause
    assert "'broken'" not in row.cause


async def test_a_stopped_partition_is_tried_again_on_start_and_then_runs(world: World) -> None:
    await world.publish([("k", "count"), ("k", "trip")])
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_stopped(loop), "the partition has stopped")
    async with world.running(MendedHandler()):
        await until(lambda: has_counted(world, 2), "the record went through")
    assert await world.query("SELECT 1 FROM checkpoint WHERE state <> 'running' OR cause IS NOT NULL") == []


async def test_a_consumer_that_is_not_ready_waits_visibly_and_then_goes_on(world: World) -> None:
    handler = CountingHandler()
    await world.publish([("k", "wait")])
    async with world.running(handler) as loop:
        await until(lambda: is_noted_as_waiting(world), "the row says why")
        (waiting,) = [each for each in loop.status().partitions if each.state == "waiting"]
        assert "nobody has said when" in (waiting.cause or "")
        handler.ready = True
        await until(lambda: has_counted(world, 1), "it went on")
    assert await world.query("SELECT 1 FROM checkpoint WHERE state <> 'running'") == []


async def test_a_parked_key_waits_in_order_while_the_others_go_on(world: World) -> None:
    await world.execute("INSERT INTO parked_key VALUES ('counting', 'input', 'k1', 'someone')")
    await world.publish([("k1", "trip"), ("k2", "count"), ("k1", "count"), ("k2", "count")])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 2), "the other key is counted")
        await until(lambda: has_parked(world, 2), "the parked key's records are kept")
    assert await world.counted() == ["e1", "e3"]
    rows = await world.query('SELECT key, headers, sealed FROM parked ORDER BY "offset"')
    assert [(row.key, row.headers["ce_id"]) for row in rows] == [("k1", "e0"), ("k1", "e2")]
    assert all(row.sealed.startswith(b"sealed:parked/") for row in rows)


async def test_an_idle_handler_is_told_that_it_has_caught_up(world: World) -> None:
    handler = ConfirmingHandler()
    await world.publish(spread(10))
    async with world.running(handler):
        await until(lambda: has_counted(world, 10), "all are counted")
        before = len(handler.caught_up_at)

        async def told_again() -> bool:
            return len(handler.caught_up_at) > before + 3

        await until(told_again, "it is told again while nothing comes")


async def has_counted(world: World, count: int) -> bool:
    return len(await world.counted()) == count


async def has_counted_more(world: World, count: int) -> bool:
    return len(await world.counted()) > count


async def has_letters(world: World, count: int) -> bool:
    return len(await world.query("SELECT 1 FROM dead_letter")) == count


async def has_parked(world: World, count: int) -> bool:
    return len(await world.query("SELECT 1 FROM parked")) == count


async def has_no_lag(loop: ConsumerLoop) -> bool:
    told = loop.status().partitions
    return len(told) == 3 and all(each.lag_records == 0 and each.lag_seconds == 0 for each in told)


async def is_stopped(loop: ConsumerLoop) -> bool:
    return bool(loop.status().stopped) and loop.status().stopped[0].lag_records is not None


async def is_noted_as_stopped(world: World) -> bool:
    return bool(await world.query("SELECT 1 FROM checkpoint WHERE state = 'stopped'"))


async def is_noted_as_waiting(world: World) -> bool:
    return bool(await world.query("SELECT 1 FROM checkpoint WHERE state = 'waiting' AND cause LIKE '%said when%'"))


async def keys_of_one_partition(world: World, count: int) -> list[str]:
    """Counts one record of each of many keys, then answers keys that share a partition."""
    await world.publish([(f"key{number}", "count") for number in range(count * 6)])
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, count * 6), "the keys are known")
    rows = await world.query("SELECT key FROM counted WHERE partition = 0 ORDER BY id")
    return [row.key for row in rows][:count]


async def test_what_a_client_of_any_make_may_write_around_its_value_stops_nothing(world: World) -> None:
    odd: list[dict[str, Any]] = [
        {"timestamp_ms": -(10**17)},
        {"headers": [("ce_id", b"e1"), ("ce_source", None)]},
        {"headers": [("ce_id", None)]},
    ]
    async with AIOKafkaProducer(bootstrap_servers=world.kafka.bootstrap) as producer:
        for around in odd:
            given = {"headers": [("ce_id", b"e0")]} | around
            await producer.send_and_wait(world.kafka.physical(INPUT), b"poison", b"k", **given)
    await world.publish([("k", "count")], first=9)
    async with world.running(CountingHandler()):
        await until(lambda: has_counted(world, 1), "what follows is counted")
    letters = await world.query('SELECT headers FROM dead_letter ORDER BY "offset"')
    assert [row.headers.get("ce_id") for row in letters] == ["e0", "e1", ""]


async def test_a_record_that_the_client_cannot_take_apart_stops_its_partition_alone_until_it_is_left_out(
    world: World,
) -> None:
    await world.publish(spread(20), first=100)
    where = await send_with_an_odd_header(world.kafka, INPUT)
    with pytest.raises(HaltError, match="cannot take a record of `input` apart"):
        [records async for records in read_topic(world.kafka, INPUT)]
    await world.publish(spread(20), first=200)
    async with world.running(CountingHandler()) as loop:
        await until(lambda: is_standing(world), "its partition stands")
        (row,) = await world.query("SELECT partition, next_offset, cause FROM checkpoint WHERE state = 'stopped'")
        assert (row.partition, row.next_offset) == where
        assert f"offset {row.next_offset}: CannotBeTakenApart: the Kafka client" in row.cause
        assert list(states(loop).values()).count("stopped") == 1
        async with world.database.begin() as uow:
            await move(uow, PartitionId(GROUP, INPUT, row.partition), to_offset=row.next_offset + 1)
        await until(lambda: has_counted(world, 40), "all others are counted")


async def is_standing(world: World) -> bool:
    return bool(await world.query("SELECT 1 FROM checkpoint WHERE state = 'stopped'"))
