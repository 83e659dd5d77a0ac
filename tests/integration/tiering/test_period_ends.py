"""The end of a period on a real broker and database, with a clock that is set by hand."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from schemas.programme import ProgrammeDocument
from schemas.tiers import TierChanged
from services.runtime.kafka.topics import apply_topics
from services.runtime.process.jobs import JobRunner
from services.tiering.__main__ import SERVICE
from tests.support.ledger import SettableClock
from tests.support.points_streams import PointsStream, member, published
from tests.support.programmes import SMALL
from tests.support.running_services import eventually, running_service
from tests.support.tiering import TieringService
from tests.support.tiering_worlds import at

BOUNDARY, NEXT_BOUNDARY = at(2028, 1, 1, 0), at(2029, 1, 1, 0)
SIX_HOURS = timedelta(hours=6)


@pytest.fixture
async def tiering(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[TieringService]:
    clock = SettableClock(at(2026, 6, 10, 20))
    async with running_service(
        SERVICE, database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics, clock=clock
    ) as running:
        await apply_topics(running.context.kafka, partitions=2)
        await running.send(published(ProgrammeDocument.model_validate(SMALL), at(2026, 1, 1)))
        yield TieringService(running, clock)


async def gold_members(tiering: TieringService, count: int = 1) -> list[PointsStream]:
    """Gold since 11 June 2026, with 300 in the next year."""
    streams = [PointsStream() for _ in range(count)]
    for stream in streams:
        await tiering.running.send(
            member(stream.member_id, at(2026, 1, 1)),
            stream.fact(at(2026, 6, 10), growth=5200),
            stream.fact(at(2027, 6, 10), growth=300),
        )
    await tiering.until_taken(*streams)
    return streams


def said(change: TierChanged) -> tuple[str | None, str | None, str]:
    return change.from_tier, change.to_tier, change.reason


async def test_C15_gold_becomes_silver_and_then_base_at_the_boundaries(tiering: TieringService) -> None:
    async with tiering.running.working():
        (stream,) = await gold_members(tiering)
        assert await tiering.sweep.run() == 0

        tiering.clock.now = BOUNDARY + SIX_HOURS
        pending = await tiering.tier(stream.member_id)
        assert (pending["tier"]["id"], pending["valid_until"], pending["evaluation_pending"]) == (
            "gold", "2027-12-31T16:00:00Z", True
        )  # fmt: skip
        assert await tiering.until_swept() == 1
        _, silver = await tiering.until_changed(2)
        assert await tiering.sweep.run() == 0

        tiering.clock.now = NEXT_BOUNDARY + SIX_HOURS + timedelta(days=3)
        assert await tiering.until_swept() == 1
        *_, base = await tiering.until_changed(3)
        told = [await tiering.tier(stream.member_id, at(year, 1, 1, 0)) for year in (2027, 2028, 2029)]

    assert said(silver) == ("gold", "silver", "period_end")
    assert silver.occurred_at == silver.effective_from == BOUNDARY
    assert (silver.valid_until, silver.recorded_at) == (NEXT_BOUNDARY, BOUNDARY + SIX_HOURS)
    assert (silver.metric, silver.threshold, silver.window.starts_at) == (300, 4000, at(2027, 1, 1, 0))
    assert (silver.window.ends_at, silver.programme_version, silver.retroactive) == (BOUNDARY, 1, False)
    assert said(base) == ("silver", None, "period_end")
    assert (base.effective_from, base.valid_until, base.metric, base.threshold) == (NEXT_BOUNDARY, None, 0, 1000)
    assert [each["tier"]["id"] for each in told] == ["gold", "silver", None]
    assert not any(each["evaluation_pending"] for each in told)


async def test_C15_who_was_away_for_a_year_judges_one_boundary_after_the_other(tiering: TieringService) -> None:
    async with tiering.running.working():
        await gold_members(tiering, 3)
        tiering.clock.now = at(2029, 5, 1)
        assert [await tiering.until_swept() for _ in range(3)] == [3, 3, 0]
        changes = await tiering.until_changed(9)
    lowered = [(change.to_tier, change.effective_from) for change in changes if change.reason == "period_end"]
    assert lowered.count(("silver", BOUNDARY)) == lowered.count((None, NEXT_BOUNDARY)) == 3
    assert not any(change.retroactive for change in changes)


async def test_the_sweep_waits_for_its_hour_and_says_so(tiering: TieringService) -> None:
    async with tiering.running.working():
        await gold_members(tiering)
        tiering.clock.now = BOUNDARY + SIX_HOURS - timedelta(seconds=1)
        await tiering.until_waiting("2027-12-31T16:00:00Z is judged from 2027-12-31T22:00:00Z on")
        tiering.clock.now = BOUNDARY + SIX_HOURS
        assert await tiering.until_swept() == 1


async def test_a_partition_that_lags_holds_the_sweep_back_and_what_it_holds_is_counted(
    tiering: TieringService,
) -> None:
    async with tiering.running.working():
        (stream,) = await gold_members(tiering)
        partition = (await tiering.running.published("points"))[0].partition
        late = stream.fact(at(2027, 12, 30), growth=3700)
        tiering.clock.now = BOUNDARY + SIX_HOURS
        async with tiering.holding(
            "SELECT FROM checkpoint WHERE topic = 'points' AND partition = :partition FOR UPDATE", partition=partition
        ):
            await tiering.running.send(late)
            await tiering.until_confirmed(1 - partition, BOUNDARY + SIX_HOURS)
            await tiering.until_waiting(f"missing of partition {partition}")
        assert await tiering.until_swept() == 1
        kept = await tiering.tier(stream.member_id)
    assert (kept["tier"]["id"], kept["valid_until"], kept["evaluation_pending"]) == (
        "gold", "2028-12-31T16:00:00Z", False
    )  # fmt: skip
    assert len(await tiering.running.published("tiers")) == 1


async def test_C17_a_purchase_of_december_that_arrives_after_the_evaluation_restores_the_tier(
    tiering: TieringService,
) -> None:
    async with tiering.running.working():
        (stream,) = await gold_members(tiering)
        tiering.clock.now = BOUNDARY + SIX_HOURS
        await tiering.until_swept()
        tiering.clock.now = at(2028, 1, 3)
        await tiering.running.send(stream.fact(at(2027, 12, 30), growth=3700))
        *_, restored = await tiering.until_changed(3)
        now = await tiering.tier(stream.member_id)
    assert said(restored) == ("silver", "gold", "late_purchase")
    assert (restored.effective_from, restored.valid_until) == (BOUNDARY, NEXT_BOUNDARY)
    assert (restored.metric, restored.threshold, restored.event_id) == (4000, 4000, stream.event_id(3))
    assert not restored.retroactive
    assert (now["tier"]["id"], now["since"], now["valid_until"]) == (
        "gold",
        "2026-06-10T16:00:00Z",
        "2028-12-31T16:00:00Z",
    )


async def test_two_sweeps_at_once_judge_each_member_once(tiering: TieringService) -> None:
    async with tiering.running.working():
        streams = await gold_members(tiering, 12)
        tiering.clock.now = BOUNDARY + SIX_HOURS
        await tiering.until_confirmed(0, tiering.clock.now)
        await tiering.until_confirmed(1, tiering.clock.now)
        some = [stream.member_id for stream in streams[:5]]
        async with tiering.holding("SELECT FROM standing WHERE member_id::text = ANY(:ids) FOR UPDATE", ids=some):
            judged = await asyncio.gather(*(tiering.another_sweep().run() for _ in range(2)))
            assert sum(judged) == 7
        judged = await asyncio.gather(*(tiering.another_sweep().run() for _ in range(2)))
        assert sum(judged) == 5
        changes = await tiering.until_changed(24)
    lowered = [change.member_id for change in changes if change.reason == "period_end"]
    assert sorted(lowered) == sorted(stream.member_id for stream in streams)


async def test_a_member_whose_facts_are_parked_is_not_judged(tiering: TieringService) -> None:
    async with tiering.running.working():
        parked, other = await gold_members(tiering, 2)
        await tiering.query(
            "INSERT INTO parked_key (consumer, topic, key, parked_by)"
            " VALUES ('tiering', 'points', :id, 'ann') RETURNING 1",
            id=parked.member_id,
        )
        tiering.clock.now = BOUNDARY + SIX_HOURS
        assert await tiering.until_swept() == 1
        assert await tiering.until_swept() == 0
        assert (await tiering.tier(parked.member_id))["evaluation_pending"]
        assert (await tiering.tier(other.member_id))["tier"]["id"] == "silver"
        await tiering.query("DELETE FROM parked_key RETURNING 1")
        assert await tiering.until_swept() == 1


async def test_readyz_says_what_the_sweep_waits_for_and_stays_ready(tiering: TieringService) -> None:
    async with tiering.running.working():
        await gold_members(tiering)
    tiering.clock.now = BOUNDARY + SIX_HOURS
    runner, stop = JobRunner([tiering.sweep], tiering.running.context.metrics), asyncio.Event()
    task = asyncio.create_task(runner.run(stop))

    async def waits() -> bool:
        return "end_periods waits" in (await runner.check()).detail

    await eventually(waits)
    assert (await runner.check()).ok
    stop.set()
    await task


async def test_the_migration_makes_due_what_was_told_before_it(tiering: TieringService) -> None:
    async with tiering.running.working():
        (stream,) = await gold_members(tiering)
        before = await tiering.query("SELECT due_at FROM standing")
        await tiering.query("UPDATE standing SET due_at = NULL, state = state - 'ended' RETURNING 1")
        migration = import_module("services.tiering.migrations.versions.0002_period_ends")
        await tiering.query(f"{migration.WHAT_WAS_TOLD} RETURNING 1")
        assert await tiering.query("SELECT due_at FROM standing") == before
        tiering.clock.now = BOUNDARY + SIX_HOURS
        assert await tiering.until_swept() == 1
    assert (await tiering.tier(stream.member_id))["tier"]["id"] == "silver"
