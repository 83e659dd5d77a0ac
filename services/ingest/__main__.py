"""The door joined together: `python -m services.ingest [api] [consume] [relay] [jobs] [migrate]`."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.programme import ProgrammePublished
from services.ingest.adapters.activities import PostgresActivities
from services.ingest.adapters.archive import PostgresArchive
from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.conflicts import PostgresConflicts
from services.ingest.adapters.envelope import unwrap
from services.ingest.adapters.overdue import PostgresOverdue
from services.ingest.adapters.programme import Programme, RememberedProgramme
from services.ingest.adapters.publication import FactOwner, FactSource, checkout_message
from services.ingest.adapters.reading import Reader
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.reopening import Reopener
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.api import REFUSALS, STREAMED, Door, build_router
from services.ingest.application.deciding import Desk
from services.ingest.application.ports import Overdue, Register, Returns, Submission
from services.ingest.consumer import CheckoutHandler, MemberHandler
from services.ingest.domain.identity import MemberId
from services.ingest.jobs import Chores
from services.ingest.settings import IngestSettings
from services.runtime.documents import DocumentHandler
from services.runtime.kafka.handler import Handler
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process import Api, Context, Job, ServiceDefinition, main

IngestContext = Context[IngestSettings]


def _api(context: IngestContext) -> Api:
    remembered = RememberedProgramme(Programme(context.clock), context.database, context.clock)

    async def publish(submissions: Sequence[Submission]) -> None:
        messages = [checkout_message(each) for each in submissions]
        if len(messages) == 1:
            # By itself it shares its way to the broker with those of other requests.
            await context.publisher.send(messages[0])
        else:
            await context.publisher.send_many(messages)

    door = Door(
        reader=_reader(context),
        publish=publish,
        versions=remembered.versions,
        database=context.database,
        books=PostgresBooks,
        returns=_returns(context),
        reopen=reopener_of(context).reopen,
        activities=PostgresActivities,
        archive=PostgresArchive,
        clock=context.clock,
    )
    return Api(routers=[build_router(door)], refusals=REFUSALS, streamed=STREAMED)


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
            returns=_returns(context),
            programme=Programme(clock),
            clock=clock,
            tally=_tally(context),
        ),
        "members": MemberHandler(
            books=PostgresBooks,
            register=_register(context),
            returns=_returns(context),
            digest_of_id=digest_of_id,
            clock=clock,
            tally=_tally(context),
        ),
        "programme": DocumentHandler(lead=context.settings.lead, read=ProgrammePublished.model_validate_json),
    }


def _jobs(context: IngestContext) -> Sequence[Job]:
    chores = Chores(
        database=context.database,
        books=PostgresBooks,
        register=_register(context),
        returns=_returns(context),
        overdue=_overdue(context),
        clock=context.clock,
    )
    every = context.settings.rematch_every.total_seconds()
    runs = {"rematch": chores.rematch, "lapse": chores.lapse, "give_up_returns": chores.give_up_returns}
    return [Job(name, every, run) for name, run in runs.items()]


def conflict_desk(context: IngestContext) -> Callable[[UnitOfWork], Desk]:
    """For the command that decides conflicts."""
    returns, reopener = _returns(context), reopener_of(context)
    return lambda uow: Desk(PostgresBooks(uow), returns(uow), PostgresConflicts(uow), reopener)


def reopener_of(context: IngestContext) -> Reopener:
    return Reopener(context.seal, frozenset(context.settings.declared_attributes))


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


def _register(context: IngestContext) -> Callable[[UnitOfWork], Register]:
    reopen = reopener_of(context).reopen
    return lambda uow: PostgresRegister(uow, reopen)


def _returns(context: IngestContext) -> Callable[[UnitOfWork], Returns]:
    reopen = reopener_of(context).reopen
    return lambda uow: PostgresReturns(uow, reopen)


def _overdue(context: IngestContext) -> Callable[[UnitOfWork], Overdue]:
    reopen = reopener_of(context).reopen
    return lambda uow: PostgresOverdue(uow, reopen)


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
