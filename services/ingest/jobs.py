"""What the door does by time."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.application.claiming import rematch
from services.ingest.application.ports import Books, Register, Returns
from services.ingest.application.releasing import give_up
from services.ingest.domain.programme import ProgrammeVersion, claim_window_at
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class Rematch:
    """The backstop of registration and of returns: takes up what has a member and was left waiting all the same."""

    def __init__(
        self,
        *,
        database: Database,
        books: Callable[[UnitOfWork], Books],
        register: Callable[[UnitOfWork], Register],
        returns: Callable[[UnitOfWork], Returns],
        clock: Clock,
    ) -> None:
        self._database = database
        self._books = books
        self._register = register
        self._returns = returns
        self._clock = clock

    async def __call__(self) -> int:
        return await self._database.run(self._claim)

    async def _claim(self, uow: UnitOfWork) -> int:
        return await rematch(self._books(uow), self._register(uow), self._returns(uow), self._clock())


class KnownProgramme(Protocol):
    async def known(self, connection: AsyncConnection) -> Sequence[ProgrammeVersion]: ...


class GiveUpReturns:
    """Puts before a person what has waited for its original longer than the programme's claim window."""

    def __init__(
        self,
        *,
        database: Database,
        books: Callable[[UnitOfWork], Books],
        returns: Callable[[UnitOfWork], Returns],
        programme: KnownProgramme,
        clock: Clock,
    ) -> None:
        self._database = database
        self._books = books
        self._returns = returns
        self._programme = programme
        self._clock = clock

    async def __call__(self) -> int:
        return await self._database.run(self._give_up)

    async def _give_up(self, uow: UnitOfWork) -> int:
        now = self._clock()
        window = claim_window_at(await self._programme.known(uow.connection), now)
        return 0 if window is None else await give_up(self._books(uow), self._returns(uow), now - window, now)
