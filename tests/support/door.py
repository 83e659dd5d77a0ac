"""The door's HTTP face without a broker: what would be published is collected."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import FastAPI

from services.ingest.adapters.activities import PostgresActivities
from services.ingest.adapters.archive import PostgresArchive
from services.ingest.api import REFUSALS, Door, build_router
from services.ingest.application.ports import Submission
from services.ingest.domain.programme import ProgrammeVersion
from services.runtime.errors import Transient
from services.runtime.http.app import create_app
from services.runtime.http.auth import Authenticator
from services.runtime.http.readiness import Readiness
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from tests.support.api_keys import FixedKeys
from tests.support.checkouts import NOW, reader

YUAN = ProgrammeVersion(1, datetime(2026, 1, 1, tzinfo=UTC), "CNY")


class Counter:
    """Stands where the broker would; `away` makes it one that does not answer."""

    def __init__(self) -> None:
        self.published: list[Submission] = []
        self.away = False

    async def publish(self, submission: Submission) -> None:
        if self.away:
            raise Transient("no broker answers")
        self.published.append(submission)


def door_app(counter: Counter, keys: FixedKeys, versions: Sequence[ProgrammeVersion] = (YUAN,)) -> FastAPI:
    async def known() -> Sequence[ProgrammeVersion]:
        return versions

    door = Door(
        reader=reader(),
        publish=counter.publish,
        versions=known,
        database=Database(create_engine("postgresql+asyncpg://127.0.0.1:1/none", role=None, schema="ingest")),
        activities=PostgresActivities,
        archive=PostgresArchive,
        clock=lambda: NOW,
    )
    return create_app(
        title="ingest",
        routers=[build_router(door)],
        readiness=Readiness(),
        authenticator=Authenticator(keys),
        refusals=REFUSALS,
    )
