"""The door joined together: `python -m services.ingest [api] [consume] [relay] [jobs] [migrate]`."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.programme import ProgrammePublished
from services.ingest.adapters.activities import PostgresActivities
from services.ingest.adapters.archive import PostgresArchive
from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.envelope import unwrap
from services.ingest.adapters.programme import Programme, RememberedProgramme
from services.ingest.adapters.publication import FactOwner, FactSource, checkout_message
from services.ingest.adapters.reading import Reader
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.api import REFUSALS, Door, build_router
from services.ingest.application.ports import Register, Returns, Submission
from services.ingest.consumer import CheckoutHandler, MemberHandler
from services.ingest.domain.identity import MemberId
from services.ingest.jobs import GiveUpReturns, Rematch
from services.ingest.settings import IngestSettings
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process import Api, Context, Job, ServiceDefinition, main

IngestContext = Context[IngestSettings]


def _api(context: IngestContext) -> Api:
    remembered = RememberedProgramme(Programme(context.clock), context.database, context.clock)

    async def publish(submission: Submission) -> None:
        await context.publisher.send(checkout_message(submission))

    door = Door(
        reader=_reader(context),
        publish=publish,
        versions=remembered.versions,
        database=context.database,
        activities=PostgresActivities,
        archive=PostgresArchive,
        clock=context.clock,
    )
    return Api(routers=[build_router(door)], refusals=REFUSALS)


def _handlers(context: IngestContext) -> Mapping[str, Handler[Any]]:
    reader, clock = _reader(context), context.clock

    def read(headers: Mapping[str, str], value: bytes | None) -> Submission:
        return reader.checkout(unwrap(headers, value), clock())

    def digest_of_id(member_id: MemberId) -> bytes:
        return context.digests.digest("member", str(member_id))

    return {
        "checkouts": CheckoutHandler(
            read=read,
            books=PostgresBooks,
            returns=_returns(reader),
            programme=Programme(clock),
            clock=clock,
            tally=_tally(context),
        ),
        "members": MemberHandler(
            books=PostgresBooks,
            register=_register(reader),
            returns=_returns(reader),
            digest_of_id=digest_of_id,
            clock=clock,
            tally=_tally(context),
        ),
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
    }


def _jobs(context: IngestContext) -> Sequence[Job]:
    reader, database, clock = _reader(context), context.database, context.clock
    rematch = Rematch(
        database=database, books=PostgresBooks, register=_register(reader), returns=_returns(reader), clock=clock
    )
    give_up = GiveUpReturns(
        database=database, books=PostgresBooks, returns=_returns(reader), programme=Programme(clock), clock=clock
    )
    every = context.settings.rematch_every.total_seconds()
    return [Job("rematch", every, rematch), Job("give_up_returns", every, give_up)]


def _reader(context: IngestContext) -> Reader:
    def count_unknown(fields: int) -> None:
        if fields:
            context.metrics.outcome("unknown_fields", "dropped", fields)

    return Reader(
        digests=context.digests,
        seal=context.seal,
        region=context.settings.phone_region,
        declared=context.settings.declared_attributes,
        count_unknown=count_unknown,
    )


def _register(reader: Reader) -> Callable[[UnitOfWork], Register]:
    return lambda uow: PostgresRegister(uow, reader.reopen)


def _returns(reader: Reader) -> Callable[[UnitOfWork], Returns]:
    return lambda uow: PostgresReturns(uow, reader.reopen)


def _tally(context: IngestContext) -> Callable[[Counter[str]], None]:
    def tally(met: Counter[str]) -> None:
        for outcome, count in met.items():
            context.metrics.outcome("checkout", outcome, count)

    return tally


SERVICE = ServiceDefinition(
    name="ingest",
    settings=IngestSettings,
    api=_api,
    handlers=_handlers,
    outbox_source=lambda _: FactSource(),
    topic_owner=lambda _: FactOwner(),
    jobs=_jobs,
    publishes=True,
)

if __name__ == "__main__":
    main(SERVICE, sys.argv[1:])
