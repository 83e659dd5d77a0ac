"""The real process killed at its worst moments: every purchase counts once, every fact is published in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from services.ledger.adapters.replaying import compare_with_topic
from services.ops.stack.ports import free_ports
from services.runtime.ports import Message
from tests.support.ledger import PATIENT, LedgerService, ledger_service, make_topics, new_member, programme, purchase
from tests.support.ledger_process import kill, ledger_process
from tests.support.postgres import fresh_database
from tests.support.running_services import eventually

NOW = datetime.now(UTC)
MEMBERS = [new_member() for _ in range(20)]


@pytest.fixture
async def ledger(kafka: str, clean_topics: str, database_url: str, tmp_path: Path) -> AsyncIterator[LedgerService]:
    async with ledger_service(
        database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics, now=NOW
    ) as service:
        await make_topics(service)
        yield service


async def test_killed_between_its_writes_and_their_commit(ledger: LedgerService, database_url: str) -> None:
    await ledger.running.send(programme(), *sales(600))
    async with ledger_process(ledger, "consume", database_url=database_url) as victim:
        # Entries are copied before the outbox is touched; COMMIT comes after both.
        async with locked(ledger, "LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"):
            await eventually(lambda: ledger.has_waiting_sessions("outbox"))
            await kill(victim, ledger.running.context.kafka)
        assert await ledger.entries() == 0
    await assert_a_successor_records_each_once(ledger, 600)


async def test_killed_after_a_commit_with_more_to_come(ledger: LedgerService, database_url: str) -> None:
    await ledger.running.send(programme(), *sales(300))
    async with ledger_process(ledger, "consume", database_url=database_url) as victim:
        await ledger.until_recorded(1)
        await ledger.running.send(*sales(300))
        await ledger.until_recorded(301)
        await kill(victim, ledger.running.context.kafka)
    assert await ledger.entries() > 300
    await assert_a_successor_records_each_once(ledger, 600)


async def test_a_process_told_to_stop_ends_well_and_hands_over_at_once(
    ledger: LedgerService, database_url: str
) -> None:
    await ledger.running.send(programme(), *sales(300))
    async with ledger_process(ledger, "consume", database_url=database_url) as first:
        await ledger.until_recorded(1)
        await ledger.running.send(*sales(300))
        first.terminate()
        assert await asyncio.to_thread(first.wait) == 0
    # Well before the session of one that left without a word would have run out.
    async with asyncio.timeout(20):
        await assert_a_successor_records_each_once(ledger, 600)


async def test_a_relay_killed_between_its_commit_and_its_delete_repeats_one_batch(
    ledger: LedgerService, database_url: str
) -> None:
    await ledger.record(programme())
    await ledger.record(*sales(100))
    async with (
        locked(ledger, "SELECT id FROM outbox FOR UPDATE"),
        ledger_process(ledger, "relay", database_url=database_url) as victim,
    ):
        await eventually(lambda: ledger.has_waiting_sessions("DELETE FROM outbox"))
        await kill(victim, ledger.running.context.kafka)
    assert len(await ledger.query("SELECT 1 FROM outbox")) == 100
    # As if the dead relay's lease had run out.
    await ledger.query("DELETE FROM relay_lease RETURNING 1")
    async with ledger.running.working():
        await ledger.until_outbox_is_empty()
    published: dict[str, list[int]] = {member: [] for member in MEMBERS}
    for record in await ledger.running.published("points"):
        published[record.key or ""].append(int(record.headers["member_seq"]))
    assert published == {member: [1, 2, 3, 4, 5] * 2 for member in MEMBERS}
    await assert_the_topic_rebuilds_the_books(ledger)


async def test_a_process_on_an_emptied_database_answers_nothing_and_says_what_to_do(
    ledger: LedgerService, database_server: str, database_template: str, tmp_path: Path
) -> None:
    await ledger.running.send(programme(), *sales(20))
    async with ledger.running.working():
        await ledger.until_recorded(20)
        await ledger.until_outbox_is_empty()
    (port,) = free_ports(1)
    async with (
        fresh_database(database_server, database_template) as emptied,
        ledger_service(database_url=emptied, keys=tmp_path) as lost,
        ledger_process(ledger, database_url=emptied, port=port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        await eventually(lambda: says(client, "loyalty rebuild ledger --from topic"))
        refused = await client.get(f"/v1/members/{MEMBERS[0]}/balances")
        assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
        assert "this database is behind its topic `points`" in refused.json()["detail"]
        # Every purchase still stands in its topic, and none of them was decided a second time.
        assert (await lost.entries(), await lost.query("SELECT 1 FROM checkpoint")) == (0, [])


def sales(count: int) -> list[Message]:
    return [purchase(MEMBERS[number % len(MEMBERS)], 100, at=NOW) for number in range(count)]


@asynccontextmanager
async def locked(ledger: LedgerService, statement: str) -> AsyncIterator[None]:
    """Holds a lock as the owner of the database, and lets go of it at the end of the block."""
    async with ledger.running.owner.engine.connect() as connection:
        await connection.execute(PATIENT)
        await connection.execute(text(statement))
        yield
        await connection.rollback()


async def says(client: httpx.AsyncClient, words: str) -> bool:
    try:
        answer = await client.get("/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == 503 and words in answer.text


async def assert_a_successor_records_each_once(ledger: LedgerService, purchases: int) -> None:
    async with ledger.running.working():
        await ledger.until_recorded(purchases)
        await ledger.until_read("purchases", purchases)
        await ledger.until_outbox_is_empty()
    assert await ledger.entries() == purchases
    each = 100 * purchases // len(MEMBERS) // 100
    assert {(await ledger.points(member))["available"] for member in MEMBERS} == {each}
    await assert_the_topic_rebuilds_the_books(ledger)


async def assert_the_topic_rebuilds_the_books(ledger: LedgerService) -> None:
    assert await ledger.offence() is None
    assert (await compare_with_topic(ledger.running.context.database, ledger.running.context.kafka)).equal
