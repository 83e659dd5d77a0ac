"""What the use cases need from the world."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from services.notifier.domain.known_members import KnownMember
from services.notifier.domain.messages import Intent, MemberId, Message, Step
from services.notifier.domain.planning import Rules
from services.notifier.domain.sending import Contact, Delivery
from services.notifier.domain.tier_stream import TierCursor

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
        """Ignores what is older than what is kept."""
        ...


class Transactions(Protocol):
    async def run(self, work: Callable[[Store], Awaitable[T]]) -> T: ...


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


class Histories(Protocol):
    async def of_member(self, member_id: MemberId, *, before: int | None, limit: int) -> list[MessageHistory] | None:
        """The newest first; None for a member nobody knows."""
        ...
