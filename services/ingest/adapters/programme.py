"""The programme as the door reads it: which currency is in force, and how long a checkout waits."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.programme import ProgrammePublished
from services.ingest.domain.programme import ClaimWindow, ProgrammeVersion
from services.runtime.documents import Document, known_documents
from services.runtime.errors import NotReady
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

GOOD_FOR = timedelta(minutes=5)
KEPT_FOR = timedelta(seconds=10)


class Programme:
    """Versions known, read anew in each transaction; a document is parsed once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._parsed: dict[tuple[int, datetime], ProgrammeVersion] = {}

    async def confirmed(self, uow: UnitOfWork) -> tuple[ProgrammeVersion, ...]:
        """NotReady where none is known, or where nobody has looked lately whether there is a newer one."""
        known = await known_documents(uow.connection)
        if not known.versions:
            raise NotReady("no programme is known yet: publish one with `loyalty programme publish FILE`")
        if not known.ready_at(self._clock(), GOOD_FOR):
            raise NotReady("the end of topic `programme` was not confirmed lately: is its consumer running?")
        return tuple(self._version(document) for document in known.versions)

    async def known(self, connection: AsyncConnection) -> tuple[ProgrammeVersion, ...]:
        """Whatever is known, if only yesterday's, if anything."""
        return tuple(self._version(document) for document in (await known_documents(connection)).versions)

    def _version(self, document: Document) -> ProgrammeVersion:
        key = (document.version, document.starts_at)
        if key not in self._parsed:
            published = document.read(ProgrammePublished.model_validate_json).document
            self._parsed[key] = ProgrammeVersion(
                version=document.version,
                starts_at=document.starts_at,
                currency=published.currency,
                claim_window=window_of(published.claim_window),
                zone=ZoneInfo(published.time_zone),
            )
        return self._parsed[key]


_AMOUNT = re.compile(r"(\d+)([A-Z])")
# A hundred years in all are for ever, and the contracts know no date that is far beyond them.
_MONTHS_MAX, _MONTH_SECONDS = 1_200, 36_525 * 86_400 // 1_200
_CLOCK = {"H": 3_600, "M": 60, "S": 1}


def window_of(duration: str) -> ClaimWindow:
    """Of an ISO 8601 duration that the contract has let through."""
    date, _, clock = duration.partition("T")
    amounts = {unit: int(amount) for amount, unit in _AMOUNT.findall(date)}
    months = min(amounts.get("Y", 0) * 12 + amounts.get("M", 0), _MONTHS_MAX)
    seconds = (amounts.get("W", 0) * 7 + amounts.get("D", 0)) * 86_400
    seconds += sum(int(amount) * _CLOCK[unit] for amount, unit in _AMOUNT.findall(clock))
    return ClaimWindow(months, timedelta(seconds=min(seconds, (_MONTHS_MAX - months) * _MONTH_SECONDS)))


class RememberedProgramme:
    """The same for requests, which must not each ask the database: at most ten seconds old."""

    def __init__(self, programme: Programme, database: Database, clock: Clock) -> None:
        self._programme = programme
        self._database = database
        self._clock = clock
        self._versions: tuple[ProgrammeVersion, ...] = ()
        self._read_at: datetime | None = None

    async def versions(self) -> tuple[ProgrammeVersion, ...]:
        now = self._clock()
        # A fault told at the till is a courtesy; the consumer asks again, in the transaction that decides.
        if self._read_at is None or now - self._read_at > KEPT_FOR:
            async with self._database.read() as connection:
                self._versions = await self._programme.known(connection)
            self._read_at = now
        return self._versions
