"""Points facts, members and the ends of periods come in; changes of standing go out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from services.runtime.errors import NotReady
from services.tiering.domain.changes import MemberStanding, qualify
from services.tiering.domain.cursor import Cursor, advanced
from services.tiering.domain.facts import Qualified, TierChanged
from services.tiering.domain.period_ends import end_periods
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

    async def lock_due(self, boundary: datetime, limit: int) -> Sequence[Account]:
        """Locks up to `limit` whose tier ends by then, passing over those that somebody else has locked."""
        ...

    async def save(self, accounts: Sequence[Account]) -> None:
        """Records the changes, chained, each with its way to the topic, and when the member is due next."""
        ...


class Confirmations(Protocol):
    """How far topic `points` was taken; each partition by itself."""

    async def confirm(self, partition: int, at: datetime) -> None:
        """All that stood in the partition at `at` was taken."""
        ...

    async def confirmed(self) -> Mapping[int, datetime]: ...

    async def earliest_end(self) -> datetime | None:
        """The first end of a tier that is not judged; members whose facts are parked are left out."""
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
class RipeEnd:
    """The instant at which periods ended, and from when on that may be judged."""

    boundary: datetime
    judged_from: datetime


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


async def ripe_end(confirmations: Confirmations, programme: Programme, now: datetime) -> RipeEnd | None:
    """The first end that is due, None where nothing is; NotReady before its time to be judged."""
    boundary = await confirmations.earliest_end()
    if boundary is None or boundary > now:
        return None
    rules = in_force(await programme.ready_versions(now), boundary)
    assert rules is not None, "an end that was told was told by a version"
    ripe = RipeEnd(boundary, boundary + rules.evaluate_after)
    if now < ripe.judged_from:
        raise NotReady(f"the period end {_utc(ripe.boundary)} is judged from {_utc(ripe.judged_from)} on")
    return ripe


async def check_all_read(confirmations: Confirmations, partitions: Collection[int], ripe: RipeEnd) -> None:
    """NotReady unless all that stood in topic `points` when the end became ripe was taken: it may keep a tier."""
    confirmed = await confirmations.confirmed()
    behind = [each for each in sorted(partitions) if each not in confirmed or confirmed[each] < ripe.judged_from]
    if behind:
        raise NotReady(
            f"the period end {_utc(ripe.boundary)} waits until `points` is read up to {_utc(ripe.judged_from)},"
            f" which is missing of partition {', '.join(map(str, behind))}"
        )


async def judge_ends(
    standings: Standings, programme: Programme, boundary: datetime, *, limit: int, now: datetime
) -> int:
    """Answers how many members were judged, each for all that ends by `boundary`; 0 when none is left."""
    versions = await programme.ready_versions(now)
    accounts = await standings.lock_due(boundary, limit)
    await standings.save([_judged(account, boundary, versions, now) for account in accounts])
    return len(accounts)


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


def _judged(account: Account, boundary: datetime, versions: Sequence[Rules], now: datetime) -> Account:
    standing, changes = end_periods(account.standing, boundary, versions, now)
    return replace(account, standing=standing, changes=changes)


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


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
