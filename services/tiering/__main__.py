"""The tiering service: its parts, joined."""

from collections.abc import Mapping
from typing import Any

from schemas.programme import ProgrammePublished
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.process.command import main
from services.runtime.process.definition import Api, Context, ServiceDefinition
from services.tiering import api
from services.tiering.adapters.history import HistoryTable
from services.tiering.adapters.members import MemberTable
from services.tiering.adapters.programme import KnownRules, ProgrammeTable
from services.tiering.adapters.publication import TierChangeSource, TiersTopic
from services.tiering.adapters.standings import StandingReading, StandingTable
from services.tiering.consumer import MembersHandler, PointsHandler
from services.tiering.settings import TieringSettings


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
        "points": PointsHandler(StandingTable, lambda uow: ProgrammeTable(uow.connection, rules), context.clock),
        "members": MembersHandler(lambda uow: MemberTable(uow.connection)),
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
    }


SERVICE = ServiceDefinition(
    name="tiering",
    settings=TieringSettings,
    api=_api,
    handlers=_handlers,
    outbox_source=lambda _: TierChangeSource(),
    topic_owner=lambda _: TiersTopic(),
)

if __name__ == "__main__":
    main(SERVICE)
