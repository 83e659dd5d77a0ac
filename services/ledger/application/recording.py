"""What the ledger does: record a batch of commands into the books, settle what is due, answer what was asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, Protocol, Self

from services.ledger.domain.arrivals import Arrival, arrival
from services.ledger.domain.commands import (
    ApplyStatus,
    ApplyTier,
    Command,
    RecordActivity,
    RecordPurchase,
    RecordReturn,
    Settle,
)
from services.ledger.domain.decide import decide
from services.ledger.domain.evolve import evolve
from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import EventId, MemberId
from services.ledger.domain.rules import Rules
from services.ledger.domain.settle import next_due
from services.ledger.domain.state import AccountState, new_account

SETTLE_BATCH = 500
NO_FINGERPRINT = ""


class ConflictingEventError(Exception):
    """One event id arrived with two contents: the door lets that through only when its own books are broken."""


def chain_start(member_id: MemberId) -> bytes:
    """The head of an empty stream: SHA-256 of the member's id."""
    return sha256(member_id.encode()).digest()


@dataclass(slots=True)
class Account:
    """A member's account within a unit of work, with the head of its chain; `saved_due_at` is what the books hold."""

    state: AccountState
    chain_head: bytes
    due_at: datetime | None
    saved_due_at: datetime | None

    @classmethod
    def new(cls, member_id: MemberId) -> Self:
        return cls(state=new_account(member_id), chain_head=chain_start(member_id), due_at=None, saved_due_at=None)


class Entry(NamedTuple):
    """A fact as it is stored: `fact` are its canonical bytes, `hash` chains them to the entry before."""

    member_id: MemberId
    member_seq: int
    event_id: EventId
    part: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    fact: bytes
    hash: bytes


def entry_of(member_id: MemberId, member_seq: int, fact: Fact, encoded: bytes, link: bytes) -> Entry:
    """The row of a fact; `link` is its hash."""
    cause = fact.cause
    return Entry(
        member_id,
        member_seq,
        cause.event_id,
        cause.part,
        fact.TYPE,
        cause.occurred_at,
        cause.recorded_at,
        encoded,
        link,
    )


class Books(Protocol):
    """The books within one unit of work."""

    async def open(self, members: Iterable[MemberId]) -> dict[MemberId, Account]: ...
    async def recorded(self, causes: Sequence[tuple[MemberId, EventId]]) -> dict[tuple[MemberId, EventId], str]: ...
    async def earlier(self, requests: "Sequence[Request]") -> dict[MemberId, list[Fact]]:
        """What the requests may have to judge again, of the members for whom there is such a request."""
        ...

    async def append(self, entries: Sequence[Entry], accounts: Sequence[Account]) -> None: ...
    async def due_members(self, now: datetime, limit: int) -> list[MemberId]: ...


class Codec(Protocol):
    """How facts become bytes and bytes a chain."""

    def encode(self, member_id: MemberId, member_seq: int, fact: Fact) -> bytes: ...
    def chain(self, previous: bytes, encoded: bytes) -> bytes: ...


Caused = RecordPurchase | RecordReturn | RecordActivity | ApplyTier | ApplyStatus
Request = tuple[MemberId, Caused]


class Ledger:
    """Folds commands into the books. Every command has its effect once, however often it comes."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    async def record(self, books: Books, requests: Sequence[Request], versions: Sequence[Rules]) -> int:
        """Decides the requests in order and writes the facts; returns how many facts.

        Raises ConflictingEventError, and TierNumberGapError of the domain, which no retry mends.
        """
        accounts = await books.open(member for member, _ in requests)
        known = await books.recorded([(member, command.event_id) for member, command in requests])
        is_judged_again = any(isinstance(command, RecordReturn | ApplyTier) for _, command in requests)
        earlier = await books.earlier(requests) if is_judged_again else {}
        entries: list[Entry] = []
        touched: dict[MemberId, Account] = {}
        for member, command in requests:
            if _is_known(known, member, command):
                continue
            entries += self._decide(accounts[member], command, versions, earlier.get(member))
            touched[member] = accounts[member]
        await self._write(books, entries, touched)
        return len(entries)

    async def enact(
        self, books: Books, account: Account, command: Command, versions: Sequence[Rules]
    ) -> tuple[Fact, ...]:
        """Decides one command on an account that is open, at once, and writes its facts; a refusal writes nothing."""
        facts = decide(account.state, command, versions)
        await self._write(books, self._enter(account, facts), {account.state.member_id: account})
        return facts

    async def settle_due(self, books: Books, now: datetime) -> int:
        """Records what activation and expiry have already done to the accounts that are due; returns how many."""
        accounts = await books.open(await books.due_members(now, SETTLE_BATCH))
        entries = [entry for account in accounts.values() for entry in self._decide(account, Settle(clock=now), ())]
        await self._write(books, entries, accounts)
        return len(accounts)

    def _decide(
        self, account: Account, command: Command, versions: Sequence[Rules], earlier: list[Fact] | None = None
    ) -> list[Entry]:
        """`earlier` are facts that the command may have to judge again; it grows by those decided."""
        facts = decide(account.state, command, versions, earlier or ())
        if earlier is not None:
            earlier += facts
        return self._enter(account, facts)

    def _enter(self, account: Account, facts: Sequence[Fact]) -> list[Entry]:
        entries = []
        for fact in facts:
            account.state = evolve(account.state, fact)
            entries.append(self._entry(account, fact))
        account.due_at = next_due(account.state)
        return entries

    def _entry(self, account: Account, fact: Fact) -> Entry:
        state = account.state
        encoded = self._codec.encode(state.member_id, state.member_seq, fact)
        account.chain_head = self._codec.chain(account.chain_head, encoded)
        return entry_of(state.member_id, state.member_seq, fact, encoded, account.chain_head)

    async def _write(self, books: Books, entries: Sequence[Entry], accounts: Mapping[MemberId, Account]) -> None:
        if accounts:
            await books.append(entries, list(accounts.values()))


def _is_known(known: dict[tuple[MemberId, EventId], str], member: MemberId, command: Caused) -> bool:
    """Whether the cause is in the stream or came earlier in this batch; remembers it when it is new."""
    key = (member, command.event_id)
    fingerprint = NO_FINGERPRINT if isinstance(command, ApplyTier | ApplyStatus) else command.fingerprint
    match arrival(known.get(key), fingerprint):
        case Arrival.FIRST:
            known[key] = fingerprint
            return False
        case Arrival.DUPLICATE:
            return True
        case Arrival.CONFLICT:
            raise ConflictingEventError(f"event {command.event_id} of member {member} has two contents")
