"""The door's HTTP face without a broker: what would be published is collected."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import FastAPI

from services.ingest.adapters.activities import PostgresActivities
from services.ingest.adapters.archive import PostgresArchive
from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.api import REFUSALS, STREAMED, Door, build_router
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
from tests.support.sales import reopen

YUAN = ProgrammeVersion(1, datetime(2026, 1, 1, tzinfo=UTC), "CNY")


class Counter:
    """Stands where the broker would; one that is `away`, or has taken as many as its `limit`, does not answer."""

    def __init__(self) -> None:
        self.published: list[Submission] = []
        self.away = False
        self.limit = sys.maxsize

    async def publish(self, submissions: Sequence[Submission]) -> None:
        if self.away or len(self.published) >= self.limit:
            raise Transient("no broker answers")
        self.published += submissions


def door_app(counter: Counter, keys: FixedKeys, versions: Sequence[ProgrammeVersion] = (YUAN,)) -> FastAPI:
    async def known() -> Sequence[ProgrammeVersion]:
        return versions

    door = Door(
        reader=reader(),
        publish=counter.publish,
        versions=known,
        database=Database(create_engine("postgresql+asyncpg://127.0.0.1:1/none", role=None, schema="ingest")),
        books=PostgresBooks,
        returns=lambda uow: PostgresReturns(uow, reopen),
        reopen=reopen,
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
        streamed=STREAMED,
    )
