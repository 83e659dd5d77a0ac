"""The books in PostgreSQL: append-only entries, one cached account per member, and when each account is due."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from asyncpg.exceptions import InsufficientPrivilegeError

from services.ledger.adapters.canonical import decode_state, encode_state, fingerprint_of
from services.ledger.adapters.earlier import earlier_facts
from services.ledger.application.recording import NO_FINGERPRINT, Account, Entry, Request
from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import EventId, MemberId
from services.runtime.errors import NotReady
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork

POINTS_TOPIC = "points"

# Whoever locks several accounts takes them in the order of their ids: two batches that share members queue up
# instead of dead-locking.
INSERT_MISSING = """
INSERT INTO account (member_id) SELECT unnest($1::uuid[]) ON CONFLICT (member_id) DO NOTHING
"""
LOCK_ACCOUNTS = """
SELECT a.member_id::text, a.member_seq, a.chain_head, a.state, a.due_at
FROM account a WHERE a.member_id = ANY ($1::uuid[]) ORDER BY a.member_id FOR UPDATE
"""
RECORDED = """
SELECT e.member_id::text, e.event_id::text, e.fact
FROM unnest($1::uuid[], $2::uuid[]) AS cause (member_id, event_id)
JOIN entry e ON e.member_id = cause.member_id AND e.event_id = cause.event_id
ORDER BY e.member_id, e.event_id, e.part
"""
ACCOUNT_COLUMNS = ("member_id", "member_seq", "chain_head", "state", "due_at")
SAVE_ACCOUNTS = """
UPDATE account a
SET member_seq = new.member_seq, chain_head = new.chain_head, state = new.state, due_at = new.due_at
FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[], $5::timestamptz[])
     AS new (member_id, member_seq, chain_head, state, due_at)
WHERE a.member_id = new.member_id
"""
SAVE_DUE = """
INSERT INTO due (member_id, due_at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (member_id) DO UPDATE SET due_at = excluded.due_at
"""
DROP_DUE = "DELETE FROM due WHERE member_id = ANY ($1::uuid[])"
DUE_MEMBERS = "SELECT member_id::text FROM due WHERE due_at <= $1 ORDER BY due_at LIMIT $2"


class PostgresBooks:
    """The books within one unit of work; every account that it opens stays locked until the work ends."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def open(self, members: Iterable[MemberId]) -> dict[MemberId, Account]:
        """Accounts by member, locked, made where there are none."""
        ids = sorted(set(members))
        connection = await self._uow.driver()
        with closed_means_not_ready():
            await connection.execute(INSERT_MISSING, ids)
            rows = await connection.fetch(LOCK_ACCOUNTS, ids)
        return {MemberId(member): account_of(member, head, state, due) for member, _, head, state, due in rows}

    async def recorded(self, causes: Sequence[tuple[MemberId, EventId]]) -> dict[tuple[MemberId, EventId], str]:
        """The causes that already are in the stream, with the fingerprint of what they caused."""
        connection = await self._uow.driver()
        rows = await connection.fetch(RECORDED, [cause[0] for cause in causes], [cause[1] for cause in causes])
        found: dict[tuple[MemberId, EventId], str] = {}
        for member, event, fact in rows:
            key = (MemberId(member), EventId(event))
            found[key] = found.get(key) or fingerprint_of(fact) or NO_FINGERPRINT
        return found

    async def earlier(self, requests: Sequence[Request]) -> dict[MemberId, list[Fact]]:
        """What the commands of these requests may have to judge again."""
        return await earlier_facts(await self._uow.driver(), requests)

    async def append(self, entries: Sequence[Entry], accounts: Sequence[Account]) -> None:
        """Writes the facts, the accounts after them and one outbox row per fact."""
        await self.insert_entries(entries)
        await self.save_accounts(accounts)
        await self._uow.add_outbox(OutboxRow(POINTS_TOPIC, entry.member_id, str(entry.member_seq)) for entry in entries)

    async def save_accounts(self, accounts: Sequence[Account]) -> None:
        """Accounts that have a row, and their due dates where `saved_due_at` says that the books hold another."""
        connection = await self._uow.driver()
        await connection.execute(
            SAVE_ACCOUNTS,
            [account.state.member_id for account in accounts],
            [account.state.member_seq for account in accounts],
            [account.chain_head for account in accounts],
            [encode_state(account.state) for account in accounts],
            [account.due_at for account in accounts],
        )
        await self._save_due(accounts)

    async def insert_accounts(self, accounts: Sequence[Account]) -> None:
        """Accounts that have no row yet, in bulk, with their due dates."""
        connection = await self._uow.driver()
        records = [
            (each.state.member_id, each.state.member_seq, each.chain_head, encode_state(each.state), each.due_at)
            for each in accounts
        ]
        await connection.copy_records_to_table("account", columns=ACCOUNT_COLUMNS, records=records)
        await self._save_due(accounts)

    async def insert_entries(self, entries: Sequence[Entry]) -> None:
        connection = await self._uow.driver()
        # An entry is its row: its fields are named and ordered as the columns are.
        await connection.copy_records_to_table("entry", columns=Entry._fields, records=entries)

    async def due_members(self, now: datetime, limit: int) -> list[MemberId]:
        connection = await self._uow.driver()
        return [MemberId(row[0]) for row in await connection.fetch(DUE_MEMBERS, now, limit)]

    async def _save_due(self, accounts: Sequence[Account]) -> None:
        connection = await self._uow.driver()
        moved = [account for account in accounts if account.due_at != account.saved_due_at]
        later = [account for account in moved if account.due_at is not None]
        if later:
            await connection.execute(
                SAVE_DUE, [account.state.member_id for account in later], [account.due_at for account in later]
            )
        if len(later) < len(moved):
            await connection.execute(DROP_DUE, [a.state.member_id for a in moved if a.due_at is None])


@contextmanager
def closed_means_not_ready() -> Iterator[None]:
    """A process that was at work before its books were lost waits, as one does that starts now."""
    try:
        yield
    except InsufficientPrivilegeError:
        raise NotReady("the books are closed while they are rebuilt") from None


def account_of(member: str, head: bytes | None, state: bytes | None, due_at: datetime | None) -> Account:
    if head is None or state is None:
        return Account.new(MemberId(member))
    return Account(state=decode_state(state), chain_head=head, due_at=due_at, saved_due_at=due_at)
