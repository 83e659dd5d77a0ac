"""The notifier's ports in memory: transactions that are atomic, and a process that can die at any call."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from services.notifier.application.ports import Due, Letter, LookupUnavailable, Store, Submission
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import Intent, MemberId, Message, MessageId, Step
from services.notifier.domain.planning import Rules
from services.notifier.domain.sending import Accepted, Contact, Delivery, Refused, Unavailable, Unclear
from services.notifier.domain.tier_stream import TierCursor

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone; whatever it would have done next does not happen."""


@dataclass
class Fuse:
    """Burns by one at every call into the world; once burnt, the process stays dead. None never burns out."""

    left: int | None = None

    def burn(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            raise Killed


@dataclass
class Tables:
    cursors: dict[MemberId, TierCursor] = field(default_factory=dict)
    messages: dict[MessageId, Message] = field(default_factory=dict)
    next_at: dict[MessageId, datetime] = field(default_factory=dict)
    lease_until: dict[MessageId, datetime] = field(default_factory=dict)
    steps: list[tuple[MessageId, Step]] = field(default_factory=list)
    gifts: list[Gift] = field(default_factory=list)


@dataclass
class MemoryStore:
    tables: Tables
    rules: Rules

    async def lock_cursors(self, member_ids: Collection[MemberId]) -> dict[MemberId, TierCursor]:
        return {member: self.tables.cursors.get(member, TierCursor()) for member in sorted(member_ids)}

    async def save_cursors(self, cursors: dict[MemberId, TierCursor]) -> None:
        self.tables.cursors |= cursors

    async def known_intents(self, intents: Collection[Intent]) -> set[Intent]:
        return {intent for intent in intents if intent.message_id in self.tables.messages}

    async def rules_in_force(self, instants: Collection[datetime], *, now: datetime) -> dict[datetime, Rules | None]:
        return dict.fromkeys(instants, self.rules)

    async def rules_of(self, version: int) -> Rules:
        return self.rules

    async def record(
        self, steps: Sequence[tuple[Message, Step]], *, now: datetime, lease_until: datetime | None = None
    ) -> list[str]:
        return [self._record(message, step, lease_until) for message, step in steps]

    async def give(self, gifts: Sequence[Gift], *, now: datetime) -> None:
        self.tables.gifts += gifts

    async def gone(self, member_ids: Collection[MemberId]) -> set[MemberId]:
        return set()

    async def due(self, *, now: datetime, limit: int) -> list[Due]:
        ready = [message for message, at in self.tables.next_at.items() if at <= now]
        found = [self.tables.messages[message] for message in ready[:limit]]
        return [Due(message, self.tables.cursors[message.member_id].tier) for message in found]

    async def lapsed(self, *, now: datetime, limit: int) -> list[Message]:
        over = [message for message, until in self.tables.lease_until.items() if until <= now]
        return [self.tables.messages[message] for message in over[:limit]]

    async def lock_submission(self, submission: Submission) -> bool:
        ours = submission.message
        now = self.tables.messages[ours.message_id]
        return (now.fate, now.attempts) == ("submitting", ours.attempts)

    def _record(self, message: Message, step: Step, lease_until: datetime | None) -> str:
        tables, message_id = self.tables, message.message_id
        tables.messages[message_id] = message
        tables.next_at.pop(message_id, None)
        tables.lease_until.pop(message_id, None)
        if step.fate == "planned":
            tables.next_at[message_id] = step.retry_at or message.due_at
        if step.fate == "submitting":
            assert lease_until is not None
            tables.lease_until[message_id] = lease_until
        tables.steps.append((message_id, step))
        return str(len(tables.steps))


@dataclass
class MemoryDatabase:
    """What survives every death of the process."""

    rules: Rules
    tables: Tables = field(default_factory=Tables)

    async def run(self, work: Callable[[Store], Awaitable[T]], fuse: Fuse) -> T:
        fuse.burn()
        scratch = deepcopy(self.tables)
        result = await work(MemoryStore(scratch, self.rules))
        fuse.burn()
        self.tables = scratch
        fuse.burn()
        return result


@dataclass
class Outside:
    """The members service and the mail server, which know nothing of our crashes."""

    contact: Contact | None = None
    members_away: bool = False
    broker_away: bool = False
    mood: Delivery = field(default_factory=Accepted)
    handed_over: list[MessageId] = field(default_factory=list)
    during_submission: Callable[[], Awaitable[None]] | None = None


@dataclass
class MortalProcess:
    """All the ports that one life of the sender uses."""

    database: MemoryDatabase
    outside: Outside
    fuse: Fuse

    async def run(self, work: Callable[[Store], Awaitable[T]]) -> T:
        return await self.database.run(work, self.fuse)

    async def backlog_age(self) -> timedelta:
        self.fuse.burn()
        return timedelta()

    async def acknowledged(self, fact_refs: Collection[str], *, within: timedelta) -> set[str]:
        self.fuse.burn()
        return set() if self.outside.broker_away else set(fact_refs)

    async def look_up(self, message: Message) -> Contact | None:
        self.fuse.burn()
        if self.outside.members_away:
            raise LookupUnavailable
        return self.outside.contact

    async def write(self, message: Message, contact: Contact, address: str) -> Letter:
        self.fuse.burn()
        return Letter(message, address, "subject", "body", html=False)

    async def submit(self, letter: Letter, *, within: timedelta) -> Delivery:
        self.fuse.burn()
        answer = self.outside.mood
        match answer:
            case Accepted() | Unclear():
                self.outside.handed_over.append(letter.message.message_id)
            case Refused() | Unavailable():
                pass
        meanwhile, self.outside.during_submission = self.outside.during_submission, None
        if meanwhile is not None:
            await meanwhile()
        self.fuse.burn()
        return answer
