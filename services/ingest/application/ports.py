"""What the door needs from outside: its books, and papers that know how they are written."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ingest.domain.admission import Arrival, ClaimedBy, Fate, Reason, Standing
from services.ingest.domain.identity import EventId, MemberId
from services.ingest.domain.ownership import Holding, MemberIdentities


@dataclass(frozen=True, slots=True)
class Told:
    """What an outcome says beside the checkout itself."""

    outcome_seq: int
    fate: Fate
    reason: Reason | None
    recorded_at: datetime
    waits_until: datetime | None = None


class Paper(Protocol):
    """One checkout as it was sent."""

    def plain(self) -> bytes:
        """The canonical `checkouts` value: everything that the contract knows, personal data too."""
        ...

    def sealed(self) -> bytes:
        """The whole of it, encrypted."""
        ...

    def as_purchase(self, member_id: MemberId, claimed_by: ClaimedBy, recorded_at: datetime) -> bytes:
        """The canonical `purchases` value: nothing in it names the person."""
        ...

    def as_outcome(self, told: Told, sealed: bytes) -> bytes:
        """The canonical `outcomes` value; `sealed` is the body that travels with it."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkout that could be read; `terminal` is `source/store/terminal`, within which order is kept."""

    arrival: Arrival
    source: str
    terminal: str
    currency: str
    occurred_at: datetime
    paper: Paper


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the one table of event ids; a placeholder has no standing. `sealed` is the body of what still waits."""

    event_id: EventId
    standing: Standing | None
    source: str | None = None
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None
    sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class PurchaseRow:
    event_id: EventId
    member_id: MemberId
    recorded_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    event_id: EventId
    outcome_seq: int
    recorded_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A checkout set aside because another stands under its id; equal ones are counted, not kept again."""

    event_id: EventId
    reason: Reason
    fingerprint: bytes
    identity: bytes | None
    recorded_at: datetime
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What waits, with its paper opened again: a sale for its member, a return or a void for its original."""

    entry: Entry
    paper: Paper

    @property
    def standing(self) -> Standing:
        assert self.entry.standing is not None, "a placeholder does not wait"
        return self.entry.standing


Reopen = Callable[[Entry], Paper]
"""Reads what the door sealed itself, as the paper of the id that it stands under."""


@dataclass(frozen=True, slots=True)
class ActivityRow:
    event_id: EventId
    member_id: MemberId
    fingerprint: bytes
    recorded_at: datetime
    body: bytes


class Books(Protocol):
    """The door's tables inside one transaction. Locks are taken identities first, then event ids, each sorted;
    what is read under them was committed before or is ours."""

    async def share_owners(self, digests: Collection[bytes]) -> Mapping[bytes, MemberId]:
        """Keeps the identities from changing hands; answers those that somebody has."""
        ...

    async def take(self, entries: Sequence[Entry]) -> Collection[EventId]:
        """Writes the entries whose ids are new and answers these ids; the others are left as they are."""
        ...

    async def lock(self, event_ids: Collection[EventId]) -> Mapping[EventId, Entry]: ...

    async def save(self, entries: Sequence[Entry]) -> None: ...

    async def add_purchases(self, rows: Sequence[PurchaseRow]) -> None: ...

    async def add_outcomes(self, rows: Sequence[OutcomeRow]) -> None: ...

    async def add_conflicts(self, rows: Sequence[ConflictRow]) -> None: ...


class Register(Protocol):
    """Who has which identity, inside one transaction."""

    async def versions(self, members: Collection[MemberId]) -> Mapping[MemberId, int]: ...

    async def lock_holdings(self, digests: Collection[bytes], members: Collection[MemberId]) -> Mapping[bytes, Holding]:
        """Locks these digests and whatever the members have now; a digest that is new gets a placeholder."""
        ...

    async def save(self, states: Sequence[MemberIdentities], holdings: Collection[Holding]) -> None: ...

    async def owned_unclaimed(self, now: datetime, limit: int) -> Collection[bytes]:
        """Identities that have a member and, all the same, an unclaimed sale; unlocked, so look again."""
        ...

    async def lock_unclaimed(self, digests: Collection[bytes], now: datetime, limit: int) -> Sequence[Kept]:
        """Those whose time has not passed."""
        ...


class Returns(Protocol):
    """What waits for another checkout, inside one transaction. Its event ids are locked last of all."""

    async def lock_waiting(self, originals: Collection[EventId], now: datetime) -> Sequence[Kept]:
        """Those whose time has not passed."""
        ...

    async def matched(self, now: datetime, limit: int) -> Mapping[EventId, MemberId]:
        """Accepted originals that something waits for all the same, with their members; unlocked, so look again."""
        ...


class Overdue(Protocol):
    """What has waited in vain, inside one transaction; what somebody else is at work on is left out."""

    async def lock_overdue(self, fate: Fate, now: datetime, limit: int) -> Sequence[Kept]:
        """Of this fate, what should no longer wait, the longest first."""
        ...

    async def lock_stranded(self, limit: int) -> Sequence[Kept]:
        """Returns and voids that wait for a sale that has lapsed."""
        ...


class Activities(Protocol):
    """What earns without a purchase, inside one transaction."""

    async def member_of(self, digest: bytes) -> MemberId | None:
        """Keeps the identity from changing hands."""
        ...

    async def add(self, row: ActivityRow) -> bytes:
        """Writes it unless it is there; answers the fingerprint that now stands under its id."""
        ...


class Archive(Protocol):
    """What became of a checkout, as a reader sees it."""

    async def status(self, event_id: EventId) -> "CheckoutStatus | None": ...


@dataclass(frozen=True, slots=True)
class ConflictStatus:
    """`verdict` None = open: a person is still to decide."""

    fingerprint: bytes
    reason: str
    recorded_at: datetime
    times: int
    verdict: str | None = None
    decided_at: datetime | None = None
    accepted_as: EventId | None = None


@dataclass(frozen=True, slots=True)
class CheckoutStatus:
    """Fate `dead_lettered` has no source: the record could not be read, only its id."""

    event_id: EventId
    fate: str
    reason: str | None
    source: str | None
    member_id: MemberId | None
    duplicates: int
    conflicts: Sequence[ConflictStatus]
    waits_until: datetime | None = None
