"""The door's tables in memory, for one user at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.ingest.application.deciding import Filed, Ruling
from services.ingest.application.ports import ConflictRow, Entry, Kept, OutcomeRow, PurchaseRow, Submission
from services.ingest.domain.admission import Arrival, Fate, Kind
from services.ingest.domain.identity import EventId, MemberId, second_id
from services.ingest.domain.ownership import Holding, MemberIdentities
from tests.support.sales import PlainPaper, reopen


class MemoryBooks:
    def __init__(self) -> None:
        self.entries: dict[EventId, Entry] = {}
        self.holdings: dict[bytes, Holding] = {}
        self.purchases: list[PurchaseRow] = []
        self.outcomes: list[OutcomeRow] = []
        self.conflicts: list[ConflictRow] = []
        self.filed: list[Filed] = []

    async def share_owners(self, digests: Collection[bytes]) -> Mapping[bytes, MemberId]:
        held = ((digest, self.holdings[digest].member_id) for digest in digests if digest in self.holdings)
        return {digest: member_id for digest, member_id in held if member_id is not None}

    async def take(self, entries: Sequence[Entry]) -> Collection[EventId]:
        fresh = {entry.event_id: entry for entry in entries if entry.event_id not in self.entries}
        self.entries |= fresh
        return fresh.keys()

    async def lock(self, event_ids: Collection[EventId]) -> Mapping[EventId, Entry]:
        return {event_id: self.entries[event_id] for event_id in event_ids if event_id in self.entries}

    async def save(self, entries: Sequence[Entry]) -> None:
        self.entries |= {entry.event_id: entry for entry in entries}

    async def add_purchases(self, rows: Sequence[PurchaseRow]) -> None:
        self.purchases += rows

    async def add_outcomes(self, rows: Sequence[OutcomeRow]) -> None:
        self.outcomes += rows

    async def add_conflicts(self, rows: Sequence[ConflictRow]) -> None:
        self.conflicts += rows
        for row in rows:
            if not any(_same(row, each.row) for each in self.filed):
                self.filed.append(Filed(row, 1))


class MemoryRegister:
    def __init__(self, books: MemoryBooks) -> None:
        self._books = books
        self._versions: dict[MemberId, int] = {}

    async def versions(self, members: Collection[MemberId]) -> Mapping[MemberId, int]:
        return {member: self._versions[member] for member in members if member in self._versions}

    async def lock_holdings(self, digests: Collection[bytes], members: Collection[MemberId]) -> Mapping[bytes, Holding]:
        holdings = self._books.holdings
        held = {digest for digest, holding in holdings.items() if holding.member_id in members}
        return {digest: holdings.get(digest, Holding(digest, None, None)) for digest in held.union(digests)}

    async def save(self, states: Sequence[MemberIdentities], holdings: Collection[Holding]) -> None:
        self._versions |= {state.member_id: state.version for state in states}
        self._books.holdings |= {holding.digest: holding for holding in holdings}

    async def owned_unclaimed(self, now: datetime, limit: int) -> Collection[bytes]:
        return [digest for digest in self._books.holdings if self._unclaimed([digest], now)][:limit]

    async def lock_unclaimed(self, digests: Collection[bytes], now: datetime, limit: int) -> Sequence[Kept]:
        return [Kept(entry, reopen(entry)) for entry in self._unclaimed(digests, now)][:limit]

    def _unclaimed(self, digests: Collection[bytes], now: datetime) -> list[Entry]:
        return [
            entry
            for entry in self._books.entries.values()
            if _waits(entry, Fate.UNCLAIMED, now) and entry.standing and entry.standing.identity in digests
        ]


class MemoryReturns:
    def __init__(self, books: MemoryBooks) -> None:
        self._books = books

    async def lock_waiting(self, originals: Collection[EventId], now: datetime) -> Sequence[Kept]:
        return [each for each in self._waiting(now) if each.standing.original_id in originals]

    async def matched(self, now: datetime, limit: int) -> Mapping[EventId, MemberId]:
        originals = [each.standing.original_id for each in self._waiting(now)]
        known = [self._books.entries[each] for each in originals if each is not None]
        members = {each.event_id: each.standing.member_id for each in known if each.standing}
        return {event_id: member for event_id, member in members.items() if member is not None}

    def _waiting(self, now: datetime) -> list[Kept]:
        entries = self._books.entries.values()
        return [Kept(entry, reopen(entry)) for entry in entries if _waits(entry, Fate.WAITING, now)]


class MemoryOverdue:
    def __init__(self, books: MemoryBooks) -> None:
        self._books = books

    async def lock_overdue(self, fate: Fate, now: datetime, limit: int) -> Sequence[Kept]:
        waiting = [each for each in self._books.entries.values() if each.standing and each.standing.fate is fate]
        return [Kept(entry, reopen(entry)) for entry in waiting if not _waits(entry, fate, now)][:limit]

    async def lock_stranded(self, limit: int) -> Sequence[Kept]:
        entries = self._books.entries
        waiting = [each for each in entries.values() if each.standing and each.standing.fate is Fate.WAITING]
        originals = {each.event_id: self._fate(each) for each in waiting}
        return [Kept(each, reopen(each)) for each in waiting if originals[each.event_id] is Fate.LAPSED][:limit]

    def _fate(self, waiting: Entry) -> Fate | None:
        assert waiting.standing is not None
        assert waiting.standing.original_id is not None
        original = self._books.entries[waiting.standing.original_id].standing
        return original.fate if original else None


class MemoryConflicts:
    def __init__(self, books: MemoryBooks) -> None:
        self._books = books

    async def filed(self, event_id: EventId, fingerprint: bytes, *, lock: bool = False) -> Sequence[Filed]:
        filed = self._books.filed
        return [each for each in filed if (each.row.event_id, each.row.fingerprint) == (event_id, fingerprint)]

    async def close(self, conflicts: Sequence[ConflictRow], ruling: Ruling, decided_at: datetime) -> None:
        self._books.filed = [
            replace(each, ruling=ruling) if any(_same(row, each.row) for row in conflicts) else each
            for each in self._books.filed
        ]

    def second(self, conflict: ConflictRow) -> Submission:
        own_id = second_id(conflict.event_id, conflict.fingerprint)
        arrival = Arrival(own_id, Kind.SALE, conflict.fingerprint, conflict.identity)
        return Submission(arrival, "pos.acme", "pos.acme/1/1", "CNY", NOW, PlainPaper(own_id))

    def ruled(self, first: Entry, conflict: ConflictRow, ruling: Ruling, decided_at: datetime) -> bytes:
        return f"{first.event_id} {ruling.verdict}".encode()


def _same(row: ConflictRow, other: ConflictRow) -> bool:
    return (row.event_id, row.fingerprint, row.identity) == (other.event_id, other.fingerprint, other.identity)


def _waits(entry: Entry, fate: Fate, now: datetime) -> bool:
    return entry.standing is not None and entry.standing.fate is fate and entry.standing.waits_at(now)


NOW = datetime.fromisoformat("2026-03-12T00:00:00+00:00")
