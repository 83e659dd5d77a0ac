"""The ledger joined together: `python -m services.ledger [api] [consume] [relay] [jobs] [migrate]`."""

import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from schemas.programme import ProgrammePublished
from services.ledger.adapters import canonical
from services.ledger.adapters.archive import PostgresArchive
from services.ledger.adapters.books import PostgresBooks
from services.ledger.adapters.programme import Programme
from services.ledger.adapters.publication import EntrySource, PointsOwner
from services.ledger.adapters.statuses import PostgresStatuses
from services.ledger.adapters.stocks import PostgresStocks
from services.ledger.adapters.till_books import PostgresTillBooks
from services.ledger.api import REFUSALS, TILL_REFUSALS, TillRoutes, build_router, build_till_router
from services.ledger.application.recording import Ledger
from services.ledger.application.redeeming import Tills
from services.ledger.consumer import ActivityHandler, MemberHandler, PurchaseHandler, TierHandler
from services.ledger.jobs import SettleDue
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.process import main
from services.runtime.process.definition import Api, Context, Job, ServiceDefinition
from services.runtime.settings import ServiceSettings

PROGRAMME_GOOD_FOR = timedelta(minutes=5)
SETTLE_EVERY_SECONDS = 5.0


def _handlers(context: Context[ServiceSettings]) -> Mapping[str, Handler[Any]]:
    ledger = Ledger(canonical)
    programme = Programme(context.clock, PROGRAMME_GOOD_FOR)
    return {
        "purchases": PurchaseHandler(ledger=ledger, books=PostgresBooks, rules=programme, clock=context.clock),
        "activities": ActivityHandler(ledger=ledger, books=PostgresBooks, rules=programme, clock=context.clock),
        "tiers": TierHandler(ledger=ledger, books=PostgresBooks, rules=programme, clock=context.clock),
        "members": MemberHandler(PostgresStatuses),
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
    }


def _api(context: Context[ServiceSettings]) -> Api:
    router = build_router(database=context.database, archive=PostgresArchive, clock=context.clock)
    return Api(routers=[router, build_till_router(_till(context))], refusals={**REFUSALS, **TILL_REFUSALS})


def _till(context: Context[ServiceSettings]) -> TillRoutes:
    programme = Programme(context.clock, PROGRAMME_GOOD_FOR)
    return TillRoutes(
        database=context.database,
        tills=Tills(Ledger(canonical)),
        books=PostgresTillBooks,
        versions=lambda connection: partial(programme.known, connection),
        archive=PostgresArchive,
        stocks=PostgresStocks,
        clock=context.clock,
    )


def _jobs(context: Context[ServiceSettings]) -> Sequence[Job]:
    settle = SettleDue(database=context.database, ledger=Ledger(canonical), books=PostgresBooks, clock=context.clock)
    return [Job("settle_due", SETTLE_EVERY_SECONDS, settle)]


SERVICE = ServiceDefinition(
    name="ledger",
    settings=ServiceSettings,
    api=_api,
    handlers=_handlers,
    outbox_source=lambda _: EntrySource(),
    topic_owner=lambda _: PointsOwner(),
    jobs=_jobs,
)

if __name__ == "__main__":
    main(SERVICE, sys.argv[1:])
