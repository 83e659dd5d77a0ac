"""What the door does by time."""

from collections.abc import Callable

from services.ingest.application.claiming import rematch
from services.ingest.application.ending import give_up, lapse
from services.ingest.application.ports import Books, Overdue, Register, Returns
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class Chores:
    """Each method is one job: a bounded piece of work in a transaction of its own, answering how much it did."""

    def __init__(
        self,
        *,
        database: Database,
        books: Callable[[UnitOfWork], Books],
        register: Callable[[UnitOfWork], Register],
        returns: Callable[[UnitOfWork], Returns],
        overdue: Callable[[UnitOfWork], Overdue],
        clock: Clock,
    ) -> None:
        self._database = database
        self._books = books
        self._register = register
        self._returns = returns
        self._overdue = overdue
        self._clock = clock

    async def rematch(self) -> int:
        """The backstop of registrations and of returns: what has a member and was left waiting all the same."""

        async def work(uow: UnitOfWork) -> int:
            return await rematch(self._books(uow), self._register(uow), self._returns(uow), self._clock())

        return await self._database.run(work)

    async def lapse(self) -> int:
        """Sales that nobody claimed while they could be."""

        async def work(uow: UnitOfWork) -> int:
            return await lapse(self._books(uow), self._overdue(uow), self._clock())

        return await self._database.run(work)

    async def give_up_returns(self) -> int:
        """Puts before a person what has waited in vain for its original."""

        async def work(uow: UnitOfWork) -> int:
            return await give_up(self._books(uow), self._overdue(uow), self._clock())

        return await self._database.run(work)
