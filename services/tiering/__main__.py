"""The tiering service: its parts, joined."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from schemas.programme import ProgrammePublished
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.reader import partitions_of
from services.runtime.process.command import main
from services.runtime.process.definition import Api, Context, Job, ServiceDefinition
from services.tiering import api
from services.tiering.adapters.confirmations import ConfirmationTable
from services.tiering.adapters.history import HistoryTable
from services.tiering.adapters.members import MemberTable
from services.tiering.adapters.programme import KnownRules, ProgrammeTable
from services.tiering.adapters.publication import TierChangeSource, TiersTopic
from services.tiering.adapters.standings import StandingReading, StandingTable
from services.tiering.consumer import MembersHandler, PointsHandler
from services.tiering.jobs import EndPeriods
from services.tiering.settings import TieringSettings

END_PERIODS_EVERY_SECONDS = 30.0


def _api(context: Context[TieringSettings]) -> Api:
    rules = KnownRules()
    routes = api.router(
        context.database,
        StandingReading,
        lambda connection: ProgrammeTable(connection, rules),
        HistoryTable,
        context.clock,
    )
    return Api([routes])


# Consumer and API may live in different processes: each has rules of its own to remember.
def _handlers(context: Context[TieringSettings]) -> Mapping[str, Handler[Any]]:
    rules = KnownRules()
    return {
        "points": PointsHandler(
            standings=StandingTable,
            programme=lambda uow: ProgrammeTable(uow.connection, rules),
            confirmations=lambda uow: ConfirmationTable(uow.connection),
            clock=context.clock,
        ),
        "members": MembersHandler(lambda uow: MemberTable(uow.connection)),
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
    }


def _jobs(context: Context[TieringSettings]) -> Sequence[Job]:
    rules = KnownRules()
    end_periods = EndPeriods(
        database=context.database,
        standings=StandingTable,
        programme=lambda connection: ProgrammeTable(connection, rules),
        confirmations=ConfirmationTable,
        partitions=partial(partitions_of, context.kafka, "points"),
        clock=context.clock,
    )
    return [Job("end_periods", END_PERIODS_EVERY_SECONDS, end_periods)]


SERVICE = ServiceDefinition(
    name="tiering",
    settings=TieringSettings,
    api=_api,
    handlers=_handlers,
    outbox_source=lambda _: TierChangeSource(),
    topic_owner=lambda _: TiersTopic(),
    jobs=_jobs,
)

if __name__ == "__main__":
    main(SERVICE)
