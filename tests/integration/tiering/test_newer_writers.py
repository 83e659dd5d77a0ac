"""A fact of a kind that this release does not know may give or take what counts: nothing is skipped."""

import json

from sqlalchemy import text

from services.runtime.ports import Message
from tests.support.points_streams import PointsStream
from tests.support.running_services import RunningService, eventually
from tests.support.tiering_worlds import at


async def test_a_fact_of_an_unknown_kind_stops_its_partition_and_says_what_helps(
    service_with_programme: RunningService,
) -> None:
    service, stream = service_with_programme, PointsStream()
    known = stream.fact(at(2026, 3, 2), growth=1000)
    fact = json.loads(known.value or b"") | {"type": "points_sent"}
    await service.send(Message("points", known.key, json.dumps(fact).encode(), known.headers))

    async def stopped() -> str | None:
        async with service.context.database.read() as connection:
            cause: str | None = await connection.scalar(text("SELECT cause FROM checkpoint WHERE state = 'stopped'"))
        return cause

    async with service.working():
        await eventually(stopped)
    assert "a record of topic `points` needs a newer release" in (await stopped() or "")
    assert await service.published("tiers") == []
