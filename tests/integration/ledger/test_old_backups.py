"""A backup that is older than its topic is filled up: what it has is compared, what it lacks appended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from services.ledger.adapters.publication import EntrySource
from services.ledger.application.replay import StreamError
from services.runtime.errors import HaltError
from services.runtime.kafka.republish import republish
from tests.support.ledger import LedgerService, ledger_service, make_topics, new_member, programme, purchase
from tests.support.postgres import fresh_database
from tests.support.rebuilding import Rebuilder

KNOWN, LATER = new_member(), new_member()
COPIED_ACCOUNT = (
    "INSERT INTO account SELECT :stranger, member_seq, chain_head, state FROM account WHERE member_id = :id"
)


@dataclass(frozen=True)
class Backup:
    """Taken with one fact of KNOWN published and a second one in the outbox; since then two more, and LATER's."""

    place: dict[str, Any]
    url: str

    @asynccontextmanager
    async def restored(self) -> AsyncIterator[Rebuilder]:
        async with ledger_service(database_url=self.url, **self.place) as ledger:
            yield Rebuilder(ledger, self.url)


@pytest.fixture
async def backup(
    kafka: str, clean_topics: str, database_server: str, database_url: str, tmp_path: Path
) -> AsyncIterator[Backup]:
    place: dict[str, Any] = {"keys": tmp_path, "kafka": kafka, "topic_prefix": clean_topics}
    async with ledger_service(database_url=database_url, **place) as ledger:
        await make_topics(ledger)
        await ledger.running.send(programme(), purchase(KNOWN))
        async with ledger.running.working():
            await ledger.running.until_published("points", 1)
            await ledger.until_outbox_is_empty()
        await ledger.record(purchase(KNOWN))
    async with fresh_database(database_server, make_url(database_url).database) as copy:
        async with ledger_service(database_url=database_url, **place) as ledger, ledger.running.working():
            await ledger.running.send(purchase(KNOWN), purchase(KNOWN), purchase(LATER))
            await ledger.running.until_published("points", 5)
        yield Backup(place, copy)


async def test_an_old_backup_is_filled_up(backup: Backup) -> None:
    async with backup.restored() as old:
        with pytest.raises(HaltError, match="loyalty rebuild ledger --from topic"):
            await old.ledger.running.check_guard()
        assert (await positions(old.ledger), len(await old.ledger.query("SELECT 1 FROM outbox"))) == (1, 1)

        filled = await old.fill()

        assert (filled.added, filled.comparison.facts, filled.comparison.equal) == (3, 5, True)
        assert await old.ledger.query("SELECT 1 FROM outbox") == []
        assert await positions(old.ledger) == 0
        assert await old.ledger.offence() is None
        async with old.ledger.running.working():
            await old.ledger.until_read("purchases", 4)
            assert await old.ledger.entries() == 5
    assert (len(await old.ledger.running.published("points"))) == 5


async def test_what_a_crash_left_unpublished_is_kept_and_published(backup: Backup) -> None:
    newcomer = new_member()
    async with backup.restored() as old:
        await old.ledger.record(purchase(newcomer))
        filled = await old.fill()
        assert (filled.added, filled.unpublished, filled.comparison.facts) == (3, 1, 6)
        assert filled.comparison.equal
        async with old.ledger.running.working():
            records = await old.ledger.running.until_published("points", 6)
        assert [each.key for each in records].count(newcomer) == 1


async def test_a_history_that_went_on_in_the_backup_is_named_and_not_mixed(backup: Backup) -> None:
    async with backup.restored() as old:
        await old.ledger.record(purchase(KNOWN, 70_000))
        with pytest.raises(StreamError, match=f"member {KNOWN}, number 3: the books hold another fact"):
            await old.fill()
        code, out, _ = await old.loyalty("rebuild", "ledger")
        assert (code, f"member {KNOWN}, number 3" in out.replace("\n", " ")) == (1, True)
        with pytest.raises(HaltError):
            await old.ledger.running.check_guard()


async def test_a_wrong_account_of_the_backup_is_made_again(backup: Backup) -> None:
    async with backup.restored() as old:
        await old.ledger.change_account(KNOWN, '"visits":2', '"visits":7')
        assert (await old.fill()).comparison.equal


async def test_a_fact_that_the_topic_has_lost_is_sent_again(backup: Backup) -> None:
    newcomer = new_member()
    async with backup.restored() as old:
        await old.ledger.record(purchase(newcomer), purchase(newcomer))
        await old.ledger.plant("DELETE FROM outbox WHERE key = :key AND ref = '1'", key=newcomer)
        filled = await old.fill()
        assert (filled.unpublished, filled.comparison.equal) == (2, True)
        async with old.ledger.running.working():
            records = await old.ledger.running.until_published("points", 7)
        assert [each.headers["member_seq"] for each in records if each.key == newcomer] == ["1", "2"]


async def test_an_account_without_a_fact_is_named_and_keeps_the_books_closed(backup: Backup) -> None:
    stranger = new_member()
    async with backup.restored() as old:
        await old.ledger.plant(COPIED_ACCOUNT, stranger=stranger, id=KNOWN)
        filled = await old.fill()
        assert filled.comparison.difference == f"member {stranger} is only in the live books"
        with pytest.raises(HaltError):
            await old.ledger.running.check_guard()


async def test_an_old_backup_is_known_behind_facts_that_were_sent_again(
    kafka: str, clean_topics: str, database_server: str, database_url: str, tmp_path: Path
) -> None:
    place: dict[str, Any] = {"keys": tmp_path, "kafka": kafka, "topic_prefix": clean_topics}
    quiet, busy = [new_member() for _ in range(8)], [new_member() for _ in range(8)]
    async with ledger_service(database_url=database_url, **place) as ledger:
        await make_topics(ledger)
        await ledger.running.send(programme(), *map(purchase, quiet))
        async with ledger.running.working():
            await ledger.running.until_published("points", 8)
            await ledger.until_outbox_is_empty()
    async with fresh_database(database_server, make_url(database_url).database) as copy:
        async with ledger_service(database_url=database_url, **place) as ledger, ledger.running.working():
            await ledger.running.send(*map(purchase, busy))
            await ledger.running.until_published("points", 16)
            async with ledger.running.context.database.begin() as uow:
                for member in quiet:
                    await republish(uow, EntrySource(), "points", member)
            await ledger.running.until_published("points", 24)
            await ledger.running.check_guard()
        async with Backup(place, copy).restored() as old:
            with pytest.raises(HaltError, match="behind its topic"):
                await old.ledger.running.check_guard()
            filled = await old.fill()
            assert (filled.added, filled.comparison.equal) == (8, True)


async def positions(ledger: LedgerService) -> int:
    rows = await ledger.query("SELECT coalesce(sum(next_offset), 0) FROM checkpoint WHERE topic = 'purchases'")
    return int(rows[0][0])
