"""What a command over HTTP reads and writes beyond the books of a batch, in the fixed order: account, then reward."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from asyncpg.exceptions import LockNotAvailableError

from services.ledger.adapters.books import PostgresBooks, account_of, closed_means_not_ready
from services.ledger.adapters.canonical import decode
from services.ledger.application.recording import Account, Entry
from services.ledger.application.redeeming import Busy, Situation
from services.ledger.domain.facts import Fact, SpendingFact
from services.ledger.domain.ids import EventId, MemberId
from services.runtime.postgres.unit_of_work import UnitOfWork

WAIT_BRIEFLY = "SET LOCAL lock_timeout = '2s'"
LOCK_ACCOUNT = """
SELECT member_id::text, chain_head, state, due_at FROM account WHERE member_id = $1 FOR UPDATE
"""
# A statement of its own behind the lock: only then does it see what the last holder of the lock has written.
SITUATION = """
SELECT (SELECT status FROM member_status WHERE member_id = $1),
       (SELECT fact FROM entry WHERE member_id = $1 AND event_id = $2 AND part = 0)
"""
SPENDING = """
SELECT fact FROM entry WHERE member_id = $1
AND type IN ('points_redeemed', 'redemption_cancelled', 'points_restored', 'points_spent_again')
ORDER BY member_seq
"""
STREAM = "SELECT fact FROM entry WHERE member_id = $1 ORDER BY member_seq"
INSERT_REWARD = "INSERT INTO reward_stock (reward, taken) VALUES ($1, 0) ON CONFLICT (reward) DO NOTHING"
LOCK_REWARD = "SELECT taken FROM reward_stock WHERE reward = $1 FOR UPDATE"
CHANGE_STOCK = "UPDATE reward_stock SET taken = taken + $2 WHERE reward = $1"
INSERT_ENTRIES = """
INSERT INTO entry (member_id, member_seq, event_id, part, type, occurred_at, recorded_at, fact, hash)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[],
                     $6::timestamptz[], $7::timestamptz[], $8::bytea[], $9::bytea[])
"""


class PostgresTillBooks(PostgresBooks):
    """The books for one command: no lock is waited for longer than two seconds."""

    def __init__(self, uow: UnitOfWork) -> None:
        super().__init__(uow)
        self._uow = uow

    async def open(self, members: Iterable[MemberId]) -> dict[MemberId, Account]:
        with _briefly("account"):
            return await super().open(members)

    async def insert_entries(self, entries: Sequence[Entry]) -> None:
        # COPY asks for the types of its columns every time, which pays only where there are many rows.
        driver = await self._uow.driver()
        await driver.execute(INSERT_ENTRIES, *zip(*entries, strict=True))

    async def situation(self, member: MemberId, event_id: EventId) -> Situation:
        await self._uow.connection.exec_driver_sql(WAIT_BRIEFLY)
        row = await self._locked("account", LOCK_ACCOUNT, member)
        driver = await self._uow.driver()
        status, earlier = await driver.fetchrow(SITUATION, member, event_id)
        return Situation(
            account=None if row is None else account_of(*row),
            status=status,
            earlier=None if earlier is None else decode(earlier)[2],
        )

    async def spending(self, member: MemberId) -> list[SpendingFact]:
        return [fact for fact in await self._facts(SPENDING, member) if isinstance(fact, SpendingFact)]

    async def stream(self, member: MemberId) -> list[Fact]:
        return await self._facts(STREAM, member)

    async def lock_stock(self, reward: str) -> int:
        """How many are gone; the row stays locked, so that nobody takes the last one twice."""
        row = await self._locked("reward", LOCK_REWARD, reward)
        if row is None:
            await self._locked("reward", INSERT_REWARD, reward)
            row = await self._locked("reward", LOCK_REWARD, reward)
        return int(row[0])

    async def change_stock(self, reward: str, change: int) -> None:
        await self._locked("reward", CHANGE_STOCK, reward, change)

    async def _facts(self, statement: str, member: MemberId) -> list[Fact]:
        driver = await self._uow.driver()
        return [decode(row[0])[2] for row in await driver.fetch(statement, member)]

    async def _locked(self, what: str, statement: str, *values: Any) -> Any:
        driver = await self._uow.driver()
        with _briefly(what):
            return await driver.fetchrow(statement, *values)


@contextmanager
def _briefly(what: str) -> Iterator[None]:
    try:
        with closed_means_not_ready():
            yield
    except LockNotAvailableError:
        # Without its cause, or the transaction would be tried again, and the two seconds waited out five times.
        raise Busy(what) from None
