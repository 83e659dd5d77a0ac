"""The live books against their own topic and their own entries; and the guard that a lost database runs into."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from services.ledger.adapters.replaying import compare_with_entries, compare_with_topic
from services.ledger.application.replay import Comparison
from services.runtime.errors import HaltError
from services.runtime.ports import Message
from tests.support.ledger import (
    LedgerService,
    ledger_service,
    local,
    make_topics,
    new_member,
    programme,
    purchase,
    review,
)
from tests.support.postgres import fresh_database

MEMBERS = sorted(new_member() for _ in range(6))


@pytest.fixture
async def relayed(ledger: LedgerService) -> LedgerService:
    """Six members with three facts each, one of them an expiry, all on the topic."""
    await ledger.running.send(programme(), *map(purchase, MEMBERS), *map(review, MEMBERS))
    async with ledger.running.working():
        await ledger.until_recorded(12)
        ledger.clock.now = local(2027, 4, 1)
        await ledger.settle()
        await ledger.running.until_published("points", 18)
        await ledger.until_outbox_is_empty()
    return ledger


async def test_topic_and_entries_rebuild_the_same_books(relayed: LedgerService) -> None:
    by_topic, by_entries = await compared(relayed), await compare_with_entries(relayed.running.context.database)
    assert by_topic.equal
    assert by_entries.equal
    assert by_topic.digest_live == by_topic.digest_rebuilt == by_entries.digest_rebuilt
    assert (by_topic.members, by_topic.facts, by_entries.facts) == (6, 18, 18)


async def test_a_batch_that_the_relay_sent_twice_changes_no_digest(relayed: LedgerService) -> None:
    once = await compared(relayed)
    records = await relayed.running.published("points")
    await relayed.running.send(*(Message("points", each.key or "", each.value, each.headers) for each in records))
    twice = await compared(relayed)
    assert len(await relayed.running.published("points")) == 36
    assert twice.equal
    assert twice.digest_rebuilt == once.digest_rebuilt


async def test_the_first_account_that_was_tampered_with_is_named(relayed: LedgerService) -> None:
    sound = await compared(relayed)
    for member in (MEMBERS[4], MEMBERS[2]):
        await relayed.change_account(member, '"visits":1', '"visits":2')
    for found in (await compared(relayed), await compare_with_entries(relayed.running.context.database)):
        assert not found.equal
        assert found.difference == f"member {MEMBERS[2]}, number 3: the account differs"
        assert found.digest_rebuilt == sound.digest_rebuilt != found.digest_live


async def test_an_account_that_was_lost_is_named(relayed: LedgerService) -> None:
    await relayed.plant("DELETE FROM account WHERE member_id = :id", id=MEMBERS[0])
    for found in (await compared(relayed), await compare_with_entries(relayed.running.context.database)):
        assert found.difference == f"member {MEMBERS[0]} is only in the rebuilt books"


async def test_what_is_recorded_while_the_topic_is_read_belongs_to_the_next_comparison(relayed: LedgerService) -> None:
    ledger, newcomer = relayed, new_member()
    async with ledger.running.working():
        # Facts keep coming, of members that the snapshot knows and of one that it does not; each too late to last.
        await ledger.running.send(purchase(newcomer), *map(purchase, MEMBERS))
        running = await compared(ledger)
        await ledger.until_recorded(32)
        await ledger.until_outbox_is_empty()
    assert running.equal
    assert (await compared(ledger)).facts == 32


async def test_an_emptied_database_halts_with_the_remedy(
    relayed: LedgerService, database_server: str, database_template: str, tmp_path: Path
) -> None:
    async with (
        fresh_database(database_server, database_template) as url,
        beside(relayed, url, tmp_path) as emptied,
    ):
        await refuses_to_start(emptied)


async def test_an_older_copy_of_the_database_halts_with_the_remedy(
    kafka: str, clean_topics: str, database_server: str, database_url: str, tmp_path: Path
) -> None:
    member = new_member()
    place: dict[str, Any] = {"keys": tmp_path, "kafka": kafka, "topic_prefix": clean_topics}
    async with ledger_service(database_url=database_url, **place) as ledger:
        await make_topics(ledger)
        await ledger.running.send(programme(), purchase(member))
        async with ledger.running.working():
            await ledger.running.until_published("points", 1)
    async with fresh_database(database_server, make_url(database_url).database) as backup:
        async with ledger_service(database_url=backup, **place) as restored:
            await restored.running.check_guard()
        async with ledger_service(database_url=database_url, **place) as ledger, ledger.running.working():
            await ledger.running.send(purchase(member))
            await ledger.running.until_published("points", 2)
            await ledger.running.check_guard()
        async with ledger_service(database_url=backup, **place) as restored:
            await refuses_to_start(restored)


async def test_the_same_number_with_another_hash_is_another_history(relayed: LedgerService) -> None:
    for member in MEMBERS:
        await relayed.plant("UPDATE entry SET hash = sha256(hash) WHERE member_id = :id AND member_seq = 3", id=member)
    await refuses_to_start(relayed)


async def refuses_to_start(ledger: LedgerService) -> None:
    with pytest.raises(HaltError) as halted:
        await ledger.running.check_guard()
    assert halted.value.what == "this database is behind its topic `points`"
    assert "loyalty rebuild ledger --from topic" in halted.value.remedy


def beside(ledger: LedgerService, url: str, keys: Path) -> AbstractAsyncContextManager[LedgerService]:
    """The same deployment on another database."""
    kafka = ledger.running.context.kafka
    return ledger_service(database_url=url, keys=keys, kafka=kafka.bootstrap, topic_prefix=kafka.prefix)


async def compared(ledger: LedgerService) -> Comparison:
    return await compare_with_topic(ledger.running.context.database, ledger.running.context.kafka)
