"""What would spoil a rebuild is refused with what to do, and nothing has been changed by then."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from services.ledger.adapters.closing import only_rebuild
from services.ledger.adapters.publication import books_are_open
from services.ledger.adapters.streams import no_progress
from services.ops.rebuilding import fill_ledger
from services.runtime.errors import HaltError
from services.runtime.kafka.groups import group_members
from services.runtime.kafka.settings import KafkaSettings
from tests.support.ledger import WEDNESDAY, LedgerService
from tests.support.points_streams import PointsStream
from tests.support.rebuilding import Rebuilder
from tests.support.running_services import eventually


@pytest.fixture
async def orphaned(ledger: LedgerService, database_url: str) -> Rebuilder:
    """A topic with facts of ten members, and books without a single one."""
    await ledger.running.send(*(PointsStream().fact(WEDNESDAY, points=5) for _ in range(10)))
    return Rebuilder(ledger, database_url)


async def test_a_schema_that_is_gone(orphaned: Rebuilder) -> None:
    await orphaned.drop()
    code, _, said = await orphaned.loyalty("rebuild", "ledger")
    assert (code, "run `loyalty migrate`" in said) == (2, True)


async def test_a_topic_that_no_longer_begins_at_its_beginning(orphaned: Rebuilder) -> None:
    records = await orphaned.ledger.running.published("points")
    partition = records[0].partition
    await cut(orphaned.ledger.running.context.kafka, "points", partition)
    code, _, said = await orphaned.loyalty("rebuild", "ledger")
    assert code == 2
    assert f"no longer begins where the streams begin (first offsets {{{partition}: 1}})" in said
    assert "restore the newest backup of schema `ledger`" in said
    await is_untouched(orphaned)


async def test_a_ledger_at_work(orphaned: Rebuilder) -> None:
    kafka = orphaned.ledger.running.context.kafka
    async with orphaned.ledger.running.working():
        await eventually(lambda: group_members(kafka, "ledger"))
        with pytest.raises(HaltError, match="a ledger process is at work"):
            await orphaned.fill()
    await is_untouched(orphaned)


async def test_a_relay_at_work(orphaned: Rebuilder) -> None:
    await orphaned.ledger.query(
        "INSERT INTO relay_lease VALUES (0, 'elsewhere/7/ab', now() + interval '1 minute') RETURNING 1"
    )
    with pytest.raises(HaltError, match=r"a ledger process is at work \(elsewhere/7/ab\)"):
        await orphaned.fill()
    await is_untouched(orphaned)


async def test_a_login_that_cannot_close_the_books(orphaned: Rebuilder) -> None:
    with pytest.raises(HaltError, match="this login does not own the ledger's tables"):
        await fill_ledger(orphaned.ledger.running.context.database, orphaned.settings(), no_progress)
    await is_untouched(orphaned)


async def test_a_second_rebuild_beside_the_first(orphaned: Rebuilder) -> None:
    async with only_rebuild(orphaned.ledger.running.owner):
        code, _, said = await orphaned.loyalty("rebuild", "ledger")
    assert (code, "another rebuild or a migration of the ledger is running" in said) == (2, True)
    await is_untouched(orphaned)


async def is_untouched(orphaned: Rebuilder) -> None:
    async with orphaned.ledger.running.owner.read() as connection:
        assert await books_are_open(connection)
    assert await orphaned.ledger.entries() == 0


async def cut(kafka: KafkaSettings, topic: str, partition: int) -> None:
    """The first record of the partition is deleted, as retention would do it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(kafka.physical(topic), partition): RecordsToDelete(1)})
    finally:
        await admin.close()
