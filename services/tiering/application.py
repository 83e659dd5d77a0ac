"""Points facts and members come in; changes of standing go out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from services.runtime.errors import NotReady
from services.tiering.domain.changes import MemberStanding, qualify
from services.tiering.domain.cursor import Cursor, advanced
from services.tiering.domain.facts import Qualified, TierChanged
from services.tiering.domain.progress import Progress, progress
from services.tiering.domain.rules import Rules, in_force


@dataclass(frozen=True, slots=True)
class PointsFact:
    """A fact of the ledger with its place in the member's chain; `amounts` are what it awarded, by unit."""

    member_id: str
    member_seq: int
    hash: bytes
    encoded: bytes
    event_id: str
    occurred_at: datetime
    amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KnownMember:
    """`version` None: the member is gone."""

    member_id: str
    version: int | None
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Account:
    """A member's row: how far the points were taken, the standing, and the head of its own chain."""

    cursor: Cursor
    standing: MemberStanding
    head: bytes
    changes: tuple[TierChanged, ...] = field(default=())
    """Decided in this transaction and not yet recorded."""


class Standings(Protocol):
    """Standings within one transaction."""

    async def lock(self, member_ids: Collection[str]) -> dict[str, Account]:
        """Locks the rows in sorted order, new ones for members without."""
        ...

    async def save(self, accounts: Sequence[Account]) -> None:
        """Records the changes, chained, each with its way to the topic."""
        ...


class StandingReader(Protocol):
    async def find(self, member_id: str) -> MemberStanding | None:
        """None for a member that nobody has registered."""
        ...


class Members(Protocol):
    async def save(self, members: Sequence[KnownMember]) -> None:
        """Keeps the higher version."""
        ...


class Programme(Protocol):
    async def ready_versions(self, now: datetime) -> Sequence[Rules]:
        """All versions that can have started; NotReady where that cannot be known."""
        ...

    async def known_versions(self) -> Sequence[Rules]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to where a member stands."""

    at: datetime
    rules: Rules
    progress: Progress


async def take_points(standings: Standings, programme: Programme, facts: Sequence[PointsFact], now: datetime) -> int:
    """Answers how many changes of standing the facts brought."""
    versions = await programme.ready_versions(now)
    # A unit of any version: the metric may change to it later, and must then find what was earned before.
    qualifying = frozenset[str]().union(*(rules.qualifying for rules in versions))
    accounts = await standings.lock({fact.member_id for fact in facts})
    touched: dict[str, Account] = {}
    for fact in facts:
        account = touched.get(fact.member_id, accounts[fact.member_id])
        taken = _taken(account, fact, qualifying, versions, now)
        # A repeated fact leaves no write behind it, so that a replay of the topic costs reads alone.
        if taken is not None:
            touched[fact.member_id] = taken
    await standings.save([touched[member_id] for member_id in sorted(touched)])
    return sum(len(account.changes) for account in touched.values())


async def standing_of(standings: StandingReader, programme: Programme, member_id: str, at: datetime) -> Standing | None:
    """None for an unknown member; before the first version of the programme its rules are shown."""
    state = await standings.find(member_id)
    if state is None:
        return None
    versions = await programme.known_versions()
    if not versions:
        raise NotReady("no programme is known yet: publish one with `loyalty programme publish FILE`")
    rules = in_force(versions, at) or min(versions, key=lambda each: each.version)
    return Standing(at, rules, progress(state, rules, at))


def _taken(
    account: Account, fact: PointsFact, qualifying: frozenset[str], versions: Sequence[Rules], now: datetime
) -> Account | None:
    cursor = advanced(account.cursor, fact.member_id, fact.member_seq, fact.hash, fact.encoded)
    if cursor is None:
        return None
    amounts = {unit: points for unit, points in fact.amounts.items() if unit in qualifying and points}
    qualified = Qualified(fact.event_id, fact.occurred_at, amounts)
    standing, changes = qualify(account.standing, qualified, versions, now)
    return replace(account, cursor=cursor, standing=standing, changes=(*account.changes, *changes))
