"""What may be asked of the books: balances, lots, entries, and why a checkout gave what it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import EventId, MemberId
from services.ledger.domain.state import AccountState, new_account

ENTRIES_PAGE = 100
ENTRIES_PAGE_MAX = 500


class UnknownMember(Exception):
    """Neither the books nor the members known to the ledger name this member."""

    def __init__(self, member_id: str) -> None:
        super().__init__("no member with this id")
        self.member_id = member_id


class UnknownEvent(Exception):
    """No fact in the books was caused by this event (yet: the line may still be carrying it)."""

    def __init__(self, event_id: str) -> None:
        super().__init__("the books hold no fact of this event; ask ingest what became of the checkout")
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact with its number in the member's stream and its link in the chain; `document` is its published JSON."""

    member_id: MemberId
    member_seq: int
    fact: Fact
    document: Mapping[str, object]
    hash: bytes


class Archive(Protocol):
    """The books as a reader sees them."""

    async def account(self, member_id: MemberId) -> AccountState | None: ...
    async def is_member(self, member_id: MemberId) -> bool: ...
    async def facts(self, member_id: MemberId, *, after: int = 0, limit: int | None = None) -> list[StoredFact]: ...
    async def facts_of_event(self, event_id: EventId) -> list[StoredFact]: ...
    async def facts_behind(
        self, member_id: MemberId, after: int, event_id: EventId, lots: Sequence[str]
    ) -> list[StoredFact]:
        """Behind number `after`: what speaks of the event (its returns, its correction) or touches the lots."""
        ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an event did, and what happened afterwards to it and to the lots that it touched."""

    caused: tuple[StoredFact, ...]
    later: tuple[StoredFact, ...]


async def account_of(archive: Archive, member_id: MemberId) -> AccountState:
    """The account, empty for a member who has none yet; UnknownMember for who is no member."""
    state = await archive.account(member_id)
    if state is None:
        if not await archive.is_member(member_id):
            raise UnknownMember(member_id)
        return new_account(member_id)
    return state


async def history_of(archive: Archive, member_id: MemberId, known_at: datetime) -> list[Fact]:
    """The facts recorded by then, in the order of the stream."""
    return [stored.fact for stored in await archive.facts(member_id) if stored.fact.cause.recorded_at <= known_at]


async def entries_after(archive: Archive, member_id: MemberId, after: int, limit: int) -> list[StoredFact]:
    """A page of the stream behind number `after`."""
    page = await archive.facts(member_id, after=after, limit=limit)
    if not page and await archive.account(member_id) is None:
        await account_of(archive, member_id)
    return page


async def explain(archive: Archive, event_id: EventId) -> Explanation:
    """The facts of an event with the later fate of its lots; UnknownEvent when there are none."""
    caused = await archive.facts_of_event(event_id)
    if not caused:
        raise UnknownEvent(event_id)
    member, last = caused[0].member_id, max(stored.member_seq for stored in caused)
    lots = sorted({move.lot for stored in caused for move in stored.fact.moves if move.lot})
    return Explanation(tuple(caused), tuple(await archive.facts_behind(member, last, event_id, lots)))
