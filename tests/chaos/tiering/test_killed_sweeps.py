"""The real sweep killed in the middle of a period end: each member is judged once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

import pytest

from schemas.programme import ProgrammeDocument
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Message
from services.tiering.__main__ import SERVICE
from services.tiering.jobs import MEMBERS_MAX
from tests.support.ledger import SettableClock
from tests.support.points_streams import PointsStream, published
from tests.support.programmes import SMALL
from tests.support.running_services import eventually, running_service
from tests.support.service_process import service_process
from tests.support.tiering import TieringService
from tests.support.tiering_worlds import SHANGHAI

# The process has the real clock: its members were gold in a year whose validity has ended since.
NOW = datetime.now(UTC)
BOUNDARY = datetime(NOW.astimezone(SHANGHAI).year, 1, 1, tzinfo=SHANGHAI)
MEMBERS = 3 * MEMBERS_MAX


@pytest.fixture
async def tiering(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[TieringService]:
    async with running_service(
        SERVICE, database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics
    ) as running:
        await apply_topics(running.context.kafka, partitions=2)
        document = SMALL | {"effective_from": BOUNDARY.replace(year=BOUNDARY.year - 3).isoformat()}
        await running.send(published(ProgrammeDocument.model_validate(document), NOW))
        yield TieringService(running, SettableClock(NOW))


def a_year_of_gold() -> Message:
    return PointsStream().fact(BOUNDARY.replace(year=BOUNDARY.year - 2, month=6), growth=5000)


async def test_a_sweep_killed_between_two_batches_leaves_the_rest_to_others(
    tiering: TieringService, database_url: str
) -> None:
    await tiering.running.send(*(a_year_of_gold() for _ in range(MEMBERS)))
    async with tiering.running.working():
        await until_counted(tiering, "reached", MEMBERS)
        async with service_process(tiering.running, "jobs", database_url=database_url) as victim:
            await until_counted(tiering, "period_end", 1)
            await kill(victim)
        assert await lowered(tiering) % MEMBERS_MAX == 0
        async with (
            service_process(tiering.running, "jobs", database_url=database_url),
            service_process(tiering.running, "jobs", database_url=database_url),
        ):
            await until_counted(tiering, "period_end", MEMBERS)
        changes = await tiering.until_changed(2 * MEMBERS)
    assert set(Counter(change.member_id for change in changes if change.reason == "period_end").values()) == {1}
    assert await tiering.query("SELECT 1 FROM standing WHERE due_at <= now()") == []


async def test_a_sweep_killed_before_its_commit_has_judged_nobody(tiering: TieringService, database_url: str) -> None:
    await tiering.running.send(*(a_year_of_gold() for _ in range(20)))
    async with tiering.running.working():
        await until_counted(tiering, "reached", 20)
        await tiering.until_confirmed(0, BOUNDARY)
        await tiering.until_confirmed(1, BOUNDARY)
    async with (
        tiering.holding("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"),
        service_process(tiering.running, "jobs", database_url=database_url) as victim,
    ):
        await eventually(lambda: waits_for_the_outbox(tiering))
        await kill(victim)
    assert await lowered(tiering) == 0
    async with service_process(tiering.running, "jobs", database_url=database_url):
        await until_counted(tiering, "period_end", 20)


async def until_counted(tiering: TieringService, reason: str, members: int) -> None:
    async def counted() -> bool:
        return await count(tiering, reason) >= members

    await eventually(counted)


async def lowered(tiering: TieringService) -> int:
    return await count(tiering, "period_end")


async def count(tiering: TieringService, reason: str) -> int:
    statement = "SELECT count(*) FROM tier_change_json WHERE fact ->> 'reason' = :reason"
    return int((await tiering.query(statement, reason=reason))[0][0])


async def waits_for_the_outbox(tiering: TieringService) -> bool:
    return bool(
        await tiering.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE '%outbox%'"
        )
    )


async def kill(process: Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)
