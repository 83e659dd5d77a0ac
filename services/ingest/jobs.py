"""What the door does by time."""

from collections.abc import Callable

from services.ingest.application.claiming import rematch
from services.ingest.application.ports import Books, Register
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class Rematch:
    """The backstop of registration: claims what has a member and was left unclaimed all the same."""

    def __init__(
        self,
        *,
        database: Database,
        books: Callable[[UnitOfWork], Books],
        register: Callable[[UnitOfWork], Register],
        clock: Clock,
    ) -> None:
        self._database = database
        self._books = books
        self._register = register
        self._clock = clock

    async def __call__(self) -> int:
        return await self._database.run(self._claim)

    async def _claim(self, uow: UnitOfWork) -> int:
        return await rematch(self._books(uow), self._register(uow), self._clock())
