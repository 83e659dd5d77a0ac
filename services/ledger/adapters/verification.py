"""`loyalty verify ledger`: the books checked against themselves, in one snapshot."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters import canonical
from services.ledger.adapters.replaying import FETCH_ROWS, Progress, entry_count, no_progress, stored_entries
from services.ledger.application.replay import MemberFold, StreamError
from services.ledger.domain.facts import Fact, SpendingFact
from services.ledger.domain.moves import Bucket
from services.ledger.domain.settle import next_due
from services.ledger.domain.spending import first_excess, stock_change
from services.ledger.domain.state import AccountState, Balance
from services.ledger.domain.verify import first_difference, first_imbalance, first_leak
from services.runtime.postgres.unit_of_work import Database

ACCOUNTS = text("SELECT member_id::text, member_seq, chain_head, state, due_at FROM account WHERE member_seq > 0")
DUE = text("SELECT member_id::text, due_at FROM due")
STOCK = text("SELECT reward, taken FROM reward_stock WHERE taken > 0")
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
        for unit, balance in state.units.items():
            sums = self.sums.setdefault(unit, [0] * len(Bucket))
            self.sums[unit] = [total + points for total, points in zip(sums, balance.buckets(), strict=True)]


async def verify_books(database: Database, now: datetime, progress: Progress = no_progress) -> Verdict:
    """Chains, numbers without gaps, cache = fold, due dates, redemptions and stock, conservation, the outbox moving."""
    verdict = Verdict()
    async with database.read(snapshot=True) as connection:
        cached = _Cached(
            accounts={row.member_id: row for row in await connection.execute(ACCOUNTS)},
            due={row.member_id: row.due_at for row in await connection.execute(DUE)},
            stock={row.reward: row.taken for row in await connection.execute(STOCK)},
        )
        verdict.offence = await _check_streams(connection, verdict, cached, progress)
    if leak := first_leak(verdict.totals()):
        verdict.offence = verdict.offence or Offence("conservation", leak)
    verdict.offence = verdict.offence or await _check_outbox(database, verdict, now)
    return verdict


@dataclass(frozen=True, slots=True)
class _Cached:
    """What the database keeps beside the entries, by member; accounts are taken out as their streams are checked."""

    accounts: dict[str, Any]
    due: dict[str, datetime]
    stock: dict[str, int]


@dataclass(slots=True)
class _Stream:
    """A member's stream as far as it was read, with what it tells of redemptions."""

    fold: MemberFold
    spending: list[SpendingFact] = field(default_factory=list)


@dataclass(slots=True)
class _Stock:
    """How many of each limited reward the facts say are gone."""

    taken: dict[str, int] = field(default_factory=dict)

    def count(self, fact: Fact) -> None:
        if (change := stock_change(fact)) is not None:
            reward, points = change
            self.taken[reward] = self.taken.get(reward, 0) + points

    def offence(self, cached: dict[str, int]) -> Offence | None:
        taken = {reward: gone for reward, gone in self.taken.items() if gone}
        for reward in sorted(taken.keys() | cached.keys()):
            if (facts := taken.get(reward, 0)) != (row := cached.get(reward, 0)):
                return Offence("stock", f"reward {reward}: the row has {row} gone, the facts say {facts}")
        return None


async def _check_streams(
    connection: AsyncConnection, verdict: Verdict, cached: _Cached, progress: Progress
) -> Offence | None:
    total = await entry_count(connection)
    stream: _Stream | None = None
    stock = _Stock()
    async for member_id, _, encoded, entry_hash in stored_entries(connection):
        if stream is None or stream.fold.state.member_id != member_id:
            if stream is not None and (offence := _check_member(verdict, stream, cached)):
                return offence
            stream = _Stream(MemberFold.empty(member_id))
        try:
            fact = stream.fold.add(canonical, encoded, entry_hash)
        except StreamError as broken:
            return Offence("chain", str(broken))
        if isinstance(fact, SpendingFact):
            stream.spending.append(fact)
            stock.count(fact)
        verdict.facts += 1
        if verdict.facts % FETCH_ROWS == 0:
            progress(verdict.facts, total)
            await asyncio.sleep(0)
    progress(verdict.facts, total)
    if stream is not None and (offence := _check_member(verdict, stream, cached)):
        return offence
    left_over = min(cached.accounts, default=None)
    if left_over:
        return Offence("cache", f"member {left_over} has an account and no entries")
    return stock.offence(cached.stock)


def _check_member(verdict: Verdict, stream: _Stream, cached: _Cached) -> Offence | None:
    fold, state = stream.fold, stream.fold.state
    verdict.count(state)
    where = f"member {state.member_id}, number {state.member_seq}"
    if imbalance := first_imbalance(state):
        return Offence("conservation", f"{where}: {imbalance}")
    if excess := first_excess(stream.spending):
        return Offence("redemption", f"{where}: {excess}")
    row = cached.accounts.pop(state.member_id, None)
    if row is None:
        return Offence("cache", f"{where}: there is no account")
    if (row.member_seq, bytes(row.chain_head)) != (state.member_seq, fold.chain_head):
        return Offence("cache", f"{where}: the account stands at number {row.member_seq}")
    if bytes(row.state) != canonical.encode_state(state):
        return Offence("cache", f"{where}: {first_difference(canonical.decode_state(bytes(row.state)), state)}")
    due = cached.due.get(state.member_id)
    if not next_due(state) == row.due_at == due:
        return Offence("due", f"{where}: due at {next_due(state)}, stored {due}")
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
