"""`loyalty verify ledger`: the books checked against themselves, in one snapshot."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters.account_rows import AccountRow, all_rows, difference
from services.ledger.adapters.stocks import PostgresStocks
from services.ledger.adapters.streams import MemberStream, Progress, member_streams, no_progress
from services.ledger.domain.facts import SpendingFact
from services.ledger.domain.moves import Bucket
from services.ledger.domain.spending import first_excess, stock_change
from services.ledger.domain.state import AccountState, Balance
from services.ledger.domain.verify import first_imbalance, first_leak
from services.runtime.postgres.unit_of_work import Database

OUTBOX = text("SELECT count(*), min(id), min(created_at) FROM outbox")

OUTBOX_STILL_AFTER = timedelta(seconds=5)
OUTBOX_LOOKS_MAX = 50
OUTBOX_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Offence:
    """The first thing found wrong: which check, and where."""

    check: str
    detail: str


@dataclass(slots=True)
class Verdict:
    """What was checked, the sums of every unit's buckets, and the first offender if there is one."""

    members: int = 0
    facts: int = 0
    outbox: int = 0
    sums: dict[str, list[int]] = field(default_factory=dict)
    offence: Offence | None = None

    def totals(self) -> Mapping[str, Balance]:
        return {unit: Balance(*buckets) for unit, buckets in sorted(self.sums.items())}

    def count(self, state: AccountState) -> None:
        self.members += 1
        self.facts += state.member_seq
        for unit, balance in state.units.items():
            sums = self.sums.setdefault(unit, [0] * len(Bucket))
            self.sums[unit] = [total + points for total, points in zip(sums, balance.buckets(), strict=True)]


async def verify_books(database: Database, now: datetime, progress: Progress = no_progress) -> Verdict:
    """Chains, numbers without gaps, cache = fold, due dates, redemptions and stock, conservation, the outbox moving."""
    verdict = Verdict()
    async with database.read(snapshot=True) as connection:
        verdict.offence = await _check_streams(connection, verdict, progress)
    if leak := first_leak(verdict.totals()):
        verdict.offence = verdict.offence or Offence("conservation", leak)
    verdict.offence = verdict.offence or await _check_outbox(database, verdict, now)
    return verdict


@dataclass(slots=True)
class _Stock:
    """How many of each limited reward the facts say are gone."""

    taken: dict[str, int] = field(default_factory=dict)

    def count(self, spending: Sequence[SpendingFact]) -> None:
        for reward, change in filter(None, map(stock_change, spending)):
            self.taken[reward] = self.taken.get(reward, 0) + change

    def offence(self, cached: Mapping[str, int]) -> Offence | None:
        taken = {reward: gone for reward, gone in self.taken.items() if gone}
        for reward in sorted(taken.keys() | cached.keys()):
            if (facts := taken.get(reward, 0)) != (row := cached.get(reward, 0)):
                return Offence("stock", f"reward {reward}: the row has {row} gone, the facts say {facts}")
        return None


async def _check_streams(connection: AsyncConnection, verdict: Verdict, progress: Progress) -> Offence | None:
    rows = await all_rows(connection)
    stock = _Stock()
    async for stream in member_streams(connection, progress):
        verdict.count(stream.fold.state)
        row = rows.pop(stream.fold.state.member_id, None)
        if offence := _check_member(stream, row):
            return offence
        stock.count(stream.spending)
    if left_over := min(rows, default=None):
        return Offence("cache", f"member {left_over} has an account and no entries")
    return stock.offence(await PostgresStocks(connection).taken())


def _check_member(stream: MemberStream, row: AccountRow | None) -> Offence | None:
    if stream.broken is not None:
        return Offence("chain", str(stream.broken))
    state = stream.fold.state
    where = f"member {state.member_id}, number {state.member_seq}"
    if imbalance := first_imbalance(state):
        return Offence("conservation", f"{where}: {imbalance}")
    if excess := first_excess(stream.spending):
        return Offence("redemption", f"{where}: {excess}")
    if wrong := difference(row, stream.fold):
        return Offence(wrong.check, f"{where}: {wrong.detail}")
    return None


async def _check_outbox(database: Database, verdict: Verdict, now: datetime) -> Offence | None:
    verdict.outbox, lowest, oldest = await _outbox(database)
    if lowest is None or now - oldest < OUTBOX_STILL_AFTER:
        return None
    for _ in range(OUTBOX_LOOKS_MAX):
        await asyncio.sleep(OUTBOX_LOOK_SECONDS)
        if (await _outbox(database))[1] != lowest:
            return None
    waiting = f"{verdict.outbox} facts wait since {oldest.isoformat()}"
    return Offence("outbox", f"{waiting} and none leaves: is the relay up?")


async def _outbox(database: Database) -> tuple[int, int | None, datetime]:
    async with database.read() as connection:
        count, lowest, oldest = (await connection.execute(OUTBOX)).one()
    return count, lowest, oldest
