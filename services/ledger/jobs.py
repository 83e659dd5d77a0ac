"""What the ledger does by itself: record the expiries and activations that time has brought."""

from collections.abc import Callable

from services.ledger.application.recording import Books, Ledger
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database, UnitOfWork


class SettleDue:
    """One bounded run over the accounts that are due. Reads never wait for it: they settle as they look."""

    def __init__(
        self, *, database: Database, ledger: Ledger, books: Callable[[UnitOfWork], Books], clock: Clock
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._books = books
        self._clock = clock

    async def __call__(self) -> int:
        """How many accounts were settled; 0 = nothing is due."""
        now = self._clock()
        return await self._database.run(lambda uow: self._ledger.settle_due(self._books(uow), now))
