"""Accounts and stock made again from the entries, which are never touched."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.ledger.adapters.account_rows import AccountRow, all_rows, difference, lacks_entries, rows_of
from services.ledger.adapters.books import PostgresBooks
from services.ledger.adapters.stocks import PostgresStocks, folded_stock, refold_stock
from services.ledger.adapters.streams import MemberStream, Progress, StoredEntry, member_streams, no_progress
from services.ledger.application.recording import Account
from services.ledger.application.replay import MemberFold
from services.ledger.domain.ids import MemberId
from services.ledger.domain.settle import next_due
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

LOCK_ACCOUNT = "SELECT FROM account WHERE member_id = $1 FOR UPDATE"
MAKE_ACCOUNT = "INSERT INTO account (member_id) VALUES ($1) ON CONFLICT (member_id) DO NOTHING"
ENTRIES_OF = "SELECT member_seq, fact, hash FROM entry WHERE member_id = $1 ORDER BY member_seq"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whose account, or which reward's stock, and what was wrong with it."""

    what: str
    was: str


@dataclass(slots=True)
class Repair:
    """What was made again, and what cannot be made from the entries because they are damaged themselves."""

    mended: list[Finding] = field(default_factory=list)
    beyond: list[Finding] = field(default_factory=list)


async def repair_books(database: Database, progress: Progress = no_progress) -> Repair:
    """Looks in one snapshot, then mends member by member under the account's lock; traffic may go on beside it."""
    repair = Repair()
    for member in await _suspects(database, progress):
        await _repair_member(database, member, repair)
    repair.mended += await _repair_stock(database)
    return repair


async def write_accounts(uow: UnitOfWork, folds: Sequence[MemberFold]) -> list[Finding]:
    """Writes those accounts that are not the fold; nobody else may write them meanwhile."""
    driver = await uow.driver()
    rows = await rows_of(driver, [fold.state.member_id for fold in folds])
    found = [(fold, difference(rows.get(fold.state.member_id), fold)) for fold in folds]
    wrong = [(fold, why) for fold, why in found if why is not None]
    accounts = [_account(fold, rows.get(fold.state.member_id)) for fold, _ in wrong]
    books = PostgresBooks(uow)
    await books.insert_accounts([account for account in accounts if account.state.member_id not in rows])
    await books.save_accounts([account for account in accounts if account.state.member_id in rows])
    return [Finding(f"member {fold.state.member_id}", why.detail) for fold, why in wrong]


async def _suspects(database: Database, progress: Progress) -> list[MemberId]:
    async with database.read(snapshot=True) as connection:
        rows = await all_rows(connection)
        found = [
            stream.fold.state.member_id
            async for stream in member_streams(connection, progress)
            if _is_suspect(rows.pop(stream.fold.state.member_id, None), stream)
        ]
    return sorted([*found, *rows])


def _is_suspect(row: AccountRow | None, stream: MemberStream) -> bool:
    return stream.broken is not None or difference(row, stream.fold) is not None


async def _repair_member(database: Database, member: MemberId, repair: Repair) -> None:
    async def work(uow: UnitOfWork) -> tuple[list[Finding], str | None]:
        driver = await uow.driver()
        await driver.execute(MAKE_ACCOUNT, member)
        await driver.execute(LOCK_ACCOUNT, member)
        stream = MemberStream(MemberFold.empty(member))
        for number, fact, link in await driver.fetch(ENTRIES_OF, member):
            stream.add(StoredEntry(member, number, fact, link))
        row = (await rows_of(driver, [member])).get(member)
        if stream.broken is not None:
            return [], str(stream.broken)
        if lacks_entries(row, stream.fold):
            return [], f"the entries end at number {stream.fold.state.member_seq}, the account stands further on"
        return await write_accounts(uow, [stream.fold]), None

    mended, beyond = await database.run(work)
    repair.mended += mended
    repair.beyond += [Finding(f"member {member}", beyond)] if beyond else []


async def _repair_stock(database: Database) -> list[Finding]:
    async with database.read(snapshot=True) as connection:
        rows, facts = await PostgresStocks(connection).taken(), await folded_stock(connection)
    wrong = [reward for reward in sorted(rows.keys() | facts.keys()) if rows.get(reward, 0) != facts.get(reward, 0)]
    if wrong:
        await database.run(refold_stock)
    return [
        Finding(f"reward {reward}", f"the row had {rows.get(reward, 0)} gone, the facts say {facts.get(reward, 0)}")
        for reward in wrong
    ]


def _account(fold: MemberFold, row: AccountRow | None) -> Account:
    return Account(fold.state, fold.chain_head, next_due(fold.state), row.due if row else None)
