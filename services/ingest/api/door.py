from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkouts import Identity
from services.ingest.application.activities import ActivitySubmission
from services.ingest.application.ports import Activities, Archive, Books, Reopen, Returns, Submission
from services.ingest.application.refusals import TooLarge, Unreadable
from services.ingest.domain.programme import ProgrammeVersion, currency_at
from services.runtime.http.auth import Principal
from services.runtime.http.problem import Problem, fault, invalid
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

T = TypeVar("T")


class Reader(Protocol):
    """All raise Unreadable."""

    def checkout(self, body: bytes, now: datetime) -> Submission: ...

    def activity(self, body: bytes, source_of: Callable[[str | None], str], now: datetime) -> ActivitySubmission: ...

    def identity(self, identity: Identity) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Door:
    """What the routes stand on; `publish` returns once the broker has acknowledged all, else raises Transient."""

    reader: Reader
    publish: Callable[[Sequence[Submission]], Awaitable[None]]
    versions: Callable[[], Awaitable[Sequence[ProgrammeVersion]]]
    database: Database
    books: Callable[[UnitOfWork], Books]
    returns: Callable[[UnitOfWork], Returns]
    reopen: Reopen
    activities: Callable[[UnitOfWork], Activities]
    archive: Callable[[AsyncConnection], Archive]
    clock: Clock

    async def checkout(self, body: bytes, principal: Principal) -> Submission:
        """What may be published; raises Problem."""
        submission = read(lambda: self.reader.checkout(body, self.clock()))
        principal.ensure_may_write(submission.source)
        currency = currency_at(await self.versions(), submission.occurred_at)
        if currency not in (None, submission.currency):
            raise invalid([fault("/currency", "currency_mismatch", f"the programme in force counts in {currency}")])
        return submission


def read(reading: Callable[[], T]) -> T:
    try:
        return reading()
    except TooLarge as refusal:
        first = refusal.faults[0]
        raise Problem(413, first.code, detail=first.detail) from None
    except Unreadable as refusal:
        raise invalid([fault(each.pointer, each.code, each.detail) for each in refusal.faults]) from None
