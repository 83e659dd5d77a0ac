"""The ledger's schema is dropped under its running processes, and rebuilds are killed: each fact is there once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from services.ops.stack.ports import free_ports
from services.runtime.kafka.groups import group_members
from tests.support.ledger import PATIENT, ledger_service, make_topics, new_member, programme, purchase
from tests.support.ledger_process import ledger_process
from tests.support.rebuilding import Rebuilder
from tests.support.running_services import eventually

NOW = datetime.now(UTC)
MEMBERS = [new_member() for _ in range(40)]
BOTHERED = """
INSERT INTO entry (member_id, member_seq, event_id, part, type, occurred_at, recorded_at, fact, hash)
VALUES (CAST(:member AS uuid), 1, CAST(:member AS uuid), 0, 'x', now(), now(), 'x', sha256('x'))
"""


@pytest.fixture
async def rebuilder(
    kafka: str, clean_topics: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rebuilder]:
    """Two facts of each member, all on the topic."""
    monkeypatch.setenv("LOYALTY_GUARD_RECHECK_SECONDS", "0.5")
    async with ledger_service(
        database_url=database_url, keys=tmp_path, kafka=kafka, topic_prefix=clean_topics, now=NOW
    ) as ledger:
        await make_topics(ledger)
        await ledger.running.send(programme(), *(purchase(each, at=NOW) for each in MEMBERS for _ in range(2)))
        async with ledger.running.working():
            await ledger.until_recorded(80)
            await ledger.until_outbox_is_empty()
        yield Rebuilder(ledger, database_url)


async def test_a_halted_ledger_goes_on_by_itself_when_its_books_are_filled(
    rebuilder: Rebuilder, database_url: str
) -> None:
    ledger, (port,) = rebuilder.ledger, free_ports(1)
    await rebuilder.drop()
    async with (
        ledger_process(ledger, database_url=database_url, port=port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        await eventually(lambda: says(client, 503, "run `loyalty migrate`"))
        await rebuilder.loyalty("migrate")
        await eventually(lambda: says(client, 503, "loyalty rebuild ledger --from topic"))
        assert (await rebuilder.fill()).comparison.equal
        await eventually(lambda: says(client, 200, "ok"))
        await ledger.running.send(purchase(MEMBERS[0], at=NOW))
        await ledger.until_recorded(81)
        await ledger.until_read("purchases", 81)
        await ledger.until_outbox_is_empty()
    await stands_at(rebuilder, 81)


async def test_a_consumer_whose_books_were_emptied_under_it_decides_nothing_again(
    rebuilder: Rebuilder, database_url: str
) -> None:
    ledger = rebuilder.ledger
    kafka = ledger.running.context.kafka
    async with ledger_process(ledger, "consume", database_url=database_url):
        await eventually(lambda: group_members(kafka, "ledger"))
        await ledger.running.send(purchase(MEMBERS[0], at=NOW))
        await ledger.until_recorded(81)
        await rebuilder.empty()
        await ledger.running.send(*(purchase(each, at=NOW) for each in MEMBERS))

        async def has_left() -> bool:
            return not await group_members(kafka, "ledger")

        await eventually(has_left)
        assert await ledger.entries() == 0
        # The 81st fact was never published, so it is gone; its purchase is not.
        assert (await rebuilder.fill()).comparison.facts == 80
        await ledger.until_recorded(121)
        await ledger.until_read("purchases", 121)
    async with ledger.running.working():
        await ledger.until_outbox_is_empty()
    await stands_at(rebuilder, 121)


async def test_a_rebuild_that_is_killed_goes_on_from_what_it_has_committed(rebuilder: Rebuilder) -> None:
    ledger = rebuilder.ledger
    records = await ledger.running.published("points")
    victim = next(record.key for record in records if record.partition == 1)
    await rebuilder.lose_everything()
    async with ledger.running.owner.engine.connect() as connection:
        await connection.execute(PATIENT)
        # The fill has to wait for this row as soon as it comes to the second partition.
        await connection.execute(text(BOTHERED), {"member": victim})
        rebuild = rebuilder.command("rebuild", "ledger", "--json")
        await eventually(lambda: ledger.has_waiting_sessions("COPY"))
        rebuild.kill()
        await asyncio.to_thread(rebuild.communicate)
        await connection.rollback()
    first = {record.key for record in records if record.partition == 0}
    assert await ledger.entries() == 2 * len(first)

    filled = await rebuilder.fill()
    assert filled.added == 80 - 2 * len(first)
    await stands_at(rebuilder, 80)


async def says(client: httpx.AsyncClient, status: int, words: str) -> bool:
    try:
        answer = await client.get("/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == status and words in answer.text


async def stands_at(rebuilder: Rebuilder, facts: int) -> None:
    """In the books and on the topic, each number once."""
    numbers = [(each.key, each.headers["member_seq"]) for each in await rebuilder.ledger.running.published("points")]
    assert len(numbers) == len(set(numbers)) == facts == await rebuilder.ledger.entries()
    assert await rebuilder.ledger.offence() is None
    code, out, _ = await rebuilder.loyalty("rebuild", "ledger", "--json")
    assert (code, '"equal": true' in out) == (0, True)
