"""Documents with an effective date: every reader computes the same start."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.runtime.documents import DocumentHandler, KnownDocuments, known_documents
from services.runtime.ports import Record
from tests.support.counting_world import World, until

LEAD = timedelta(minutes=15)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_the_first_version_starts_when_it_says(world: World) -> None:
    known = await publish(world, document(1, "2020-01-01T00:00:00+08:00", appended_at=NOON))
    assert [each.starts_at for each in known.versions] == [datetime(2019, 12, 31, 16, tzinfo=UTC)]


async def test_a_later_version_starts_no_earlier_than_the_lead_after_it_was_appended(world: World) -> None:
    known = await publish(
        world,
        document(1, "2020-01-01T00:00:00Z", appended_at=NOON),
        document(2, "2026-01-01T00:00:00Z", appended_at=NOON),
        document(3, "2026-06-01T00:00:00Z", appended_at=NOON),
    )
    assert [each.starts_at for each in known.versions[1:]] == [NOON + LEAD, datetime(2026, 6, 1, tzinfo=UTC)]
    in_force = known.in_force(NOON + LEAD)
    assert in_force is not None
    assert in_force.version == 2


async def test_a_version_seen_twice_is_kept_once(world: World) -> None:
    once = document(1, "2020-01-01T00:00:00Z", appended_at=NOON)
    known = await publish(world, once, once)
    assert len(known.versions) == 1


async def test_a_version_published_with_other_contents_stops_the_reader(world: World) -> None:
    with pytest.raises(AssertionError, match="version 1 was published twice"):
        await publish(
            world,
            document(1, "2020-01-01T00:00:00Z", appended_at=NOON),
            document(1, "2021-01-01T00:00:00Z", appended_at=NOON),
        )


async def test_documents_are_good_for_five_minutes_after_a_confirmed_end(world: World) -> None:
    known = await publish(world, document(1, "2020-01-01T00:00:00Z", appended_at=NOON))
    assert not known.ready_at(NOON)
    async with world.database.begin() as uow:
        await DocumentHandler(LEAD).caught_up(uow, 0, NOON, any_parked=False)
        await DocumentHandler(LEAD).caught_up(uow, 0, NOON - timedelta(hours=1), any_parked=False)
        await DocumentHandler(LEAD).caught_up(uow, 0, NOON + timedelta(hours=1), any_parked=True)
        confirmed = await known_documents(uow.connection)
    assert confirmed.ready_at(NOON + timedelta(minutes=5))
    assert not confirmed.ready_at(NOON + timedelta(minutes=5, seconds=1))


async def test_versions_arrive_through_the_loop_and_are_confirmed(world: World) -> None:
    body = json.dumps({"version": 1, "effective_from": "2020-01-01T00:00:00Z"})
    await world.publish([("programme", body)])
    async with world.running(DocumentHandler(LEAD)):

        async def ready() -> bool:
            async with world.database.read() as connection:
                known = await known_documents(connection)
            return known.ready_at(datetime.now(UTC))

        await until(ready, "the version is known and the end confirmed")


async def publish(world: World, *records: Record[bytes | None]) -> KnownDocuments:
    handler = DocumentHandler(LEAD)
    decoded = [
        Record(each.topic, 0, each.offset, each.key, each.headers, each.appended_at, handler.decode(each))
        for each in records
    ]
    async with world.database.begin() as uow:
        await handler.handle(uow, decoded)
        return await known_documents(uow.connection)


def document(version: int, effective_from: str, *, appended_at: datetime) -> Record[bytes | None]:
    body = json.dumps({"version": version, "effective_from": effective_from}).encode()
    return Record("programme", 0, version, "programme", {}, appended_at, body)
