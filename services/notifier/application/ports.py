"""What the use cases need from the world."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol, TypeVar

from services.notifier.domain.celebrations import Celebrant, Celebration, Reign
from services.notifier.domain.gifts import Gift
from services.notifier.domain.known_members import KnownMember
from services.notifier.domain.messages import Intent, MemberId, Message, Step
from services.notifier.domain.planning import Rules
from services.notifier.domain.sending import Contact, Delivery
from services.notifier.domain.tier_stream import TierCursor
from services.notifier.domain.watch import Watch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Due:
    """A message locked together with its member; `tier_now` is the member's tier by the last fact taken."""

    message: Message
    tier_now: str | None


@dataclass(frozen=True, slots=True)
class Submission:
    """A message whose `submitting` is recorded by us; nobody else touches it before `lease_until`."""

    message: Message
    fact_ref: str
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready for the provider."""

    message: Message
    address: str
    subject: str
    body: str
    html: bool


class LookupUnavailable(Exception):
    """The members service gave no usable answer."""


class TemplateFault(Exception):
    """The template cannot be rendered; the text says where, and never with what."""


class Store(Protocol):
    """The notifier's tables within one transaction."""

    async def lock_cursors(self, member_ids: Collection[MemberId]) -> dict[MemberId, TierCursor]:
        """Locks the members in sorted order, known or not."""
        ...

    async def save_cursors(self, cursors: dict[MemberId, TierCursor]) -> None: ...

    async def known_intents(self, intents: Collection[Intent]) -> set[Intent]: ...

    async def rules_in_force(self, instants: Collection[datetime], *, now: datetime) -> dict[datetime, Rules | None]:
        """Raises NotReady where the programme is not known well enough to say."""
        ...

    async def rules_of(self, version: int) -> Rules: ...

    async def record(
        self, steps: Sequence[tuple[Message, Step]], *, now: datetime, lease_until: datetime | None = None
    ) -> list[str]:
        """Appends the steps to their members' chains, which must be locked, beside the messages as they are after
        them; answers the references of the facts."""
        ...

    async def give(self, gifts: Sequence[Gift], *, now: datetime) -> None:
        """Behind the steps of their occasions, in the same transaction; a gift that was given is not given again."""
        ...

    async def gone(self, member_ids: Collection[MemberId]) -> set[MemberId]:
        """Those who have left or were erased, as far as is known."""
        ...

    async def due(self, *, now: datetime, limit: int) -> list[Due]:
        """Locks planned messages whose time has come, leaving out what others hold."""
        ...

    async def lapsed(self, *, now: datetime, limit: int) -> list[Message]:
        """Locks messages in submission whose lease is over."""
        ...

    async def lock_submission(self, submission: Submission) -> bool:
        """False when the submission is no longer ours."""
        ...


class MemberStates(Protocol):
    """What is known of members, within one transaction."""

    async def keep(self, members: Sequence[KnownMember]) -> None:
        """In this order; ignores what is older than what is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """A day whose celebrants are looked at, those up to `after` already; None = none yet, or (once swept) all."""

    day: date
    after: MemberId | None


@dataclass(frozen=True, slots=True)
class DueCelebration:
    """An entry of the agenda whose time has come by what was known when it was made."""

    celebrant: Celebrant
    campaign: str
    year: int


class Agenda(Protocol):
    """Birthdays that are looked after and what is ahead, within one transaction."""

    async def reigns(self) -> tuple[Reign, ...]:
        """The versions that are known, in order; good for a plan, which is looked at again when it is due."""
        ...

    async def reigns_confirmed(self, *, now: datetime) -> tuple[Reign, ...]:
        """The same for a decision; raises NotReady where the programme is not known up to now."""
        ...

    async def watch(self) -> Watch | None:
        """None before the first day; nobody widens it before the end of the transaction."""
        ...

    async def watch_to_widen(self) -> Watch | None:
        """The same, and nobody else looks at it before the end of the transaction."""
        ...

    async def widen(self, watch: Watch, *, sweep_from: date) -> None: ...

    async def next_sweep(self) -> Sweep | None:
        """Locks the first day to be swept that nobody else is at."""
        ...

    async def swept(self, sweep: Sweep) -> None: ...

    async def celebrants(self, member_ids: Collection[MemberId]) -> list[Celebrant]:
        """Locks the members, in sorted order."""
        ...

    async def celebrants_on(self, sweep: Sweep, *, limit: int) -> list[Celebrant]:
        """Locks the next members with a birthday that may be celebrated on the day, in sorted order."""
        ...

    async def replan(self, member_ids: Collection[MemberId], celebrations: Sequence[Celebration]) -> None:
        """What is ahead of these members, who must be locked; what has come already stays out."""
        ...

    async def due(self, *, now: datetime, limit: int) -> list[DueCelebration]:
        """Locks entries and their members, leaving out what others hold."""
        ...

    async def settle(self, due: Sequence[DueCelebration], put_off: Sequence[Celebration]) -> None:
        """Strikes what was due, but for what turns out to be due later."""
        ...


class Transactions(Protocol):
    async def run(self, work: Callable[[Store], Awaitable[T]]) -> T: ...


class BirthdayTransactions(Protocol):
    async def run(self, work: Callable[[Store, Agenda], Awaitable[T]]) -> T: ...


class Acknowledgements(Protocol):
    async def backlog_age(self) -> timedelta:
        """How long the oldest fact has been waiting for the broker."""
        ...

    async def acknowledged(self, fact_refs: Collection[str], *, within: timedelta) -> set[str]:
        """Those of the facts that the broker has by then."""
        ...


class Contacts(Protocol):
    async def look_up(self, message: Message) -> Contact | None:
        """None for a member nobody knows; raises LookupUnavailable."""
        ...


class Writer(Protocol):
    async def write(self, message: Message, contact: Contact, address: str) -> Letter:
        """Raises TemplateFault."""
        ...


class Provider(Protocol):
    async def submit(self, letter: Letter, *, within: timedelta) -> Delivery: ...


@dataclass(frozen=True, slots=True)
class MessageStep:
    """One step of a message as it was recorded."""

    member_seq: int
    fate: str
    reason: str | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class MessageHistory:
    """A message with its steps, oldest first; `ordinal` (the number of its first step) orders a member's messages."""

    message: Message
    ordinal: int
    steps: tuple[MessageStep, ...]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An occasion that is ahead, by what is known now."""

    campaign: str
    occurrence: str
    due_at: datetime


class Histories(Protocol):
    async def upcoming(self, member_id: MemberId) -> list[Upcoming]:
        """The next one first."""
        ...

    async def of_member(self, member_id: MemberId, *, before: int | None, limit: int) -> list[MessageHistory] | None:
        """The newest first; None for a member nobody knows."""
        ...
