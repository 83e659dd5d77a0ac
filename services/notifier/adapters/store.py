"""The notifier's tables within one transaction."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row, text

from services.notifier.adapters import facts, gifts
from services.notifier.adapters.agenda import PostgresAgenda
from services.notifier.adapters.programmes import Programmes
from services.notifier.application.ports import Agenda, Due, Store, Submission
from services.notifier.domain.celebrations import GONE
from services.notifier.domain.gifts import Gift
from services.notifier.domain.messages import (
    BirthdayComes,
    Intent,
    MemberId,
    Message,
    MessageId,
    Occasion,
    Step,
    TierReached,
)
from services.notifier.domain.planning import Rules
from services.notifier.domain.tier_stream import TierCursor
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

TOPIC = "messages"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Chain:
    seq: int
    head: bytes | None


class PostgresStore:
    """Knows the chains of the members that this transaction has locked, and appends to no others."""

    def __init__(self, uow: UnitOfWork, programmes: Programmes) -> None:
        self._uow = uow
        self._programmes = programmes
        self._chains: dict[MemberId, _Chain] = {}

    async def lock_cursors(self, member_ids: Collection[MemberId]) -> dict[MemberId, TierCursor]:
        members = {"members": sorted(map(UUID, member_ids))}
        await self._uow.connection.execute(_INSERT_STREAMS, members)
        rows = (await self._uow.connection.execute(_LOCK_STREAMS, members)).all()
        self._remember(rows)
        return {_member(row): TierCursor(row.tier_seq, row.tier_hash, row.member_tier, row.tier_since) for row in rows}

    async def save_cursors(self, cursors: dict[MemberId, TierCursor]) -> None:
        values = [
            {
                "member_id": UUID(member),
                "seq": cursor.seq,
                "hash": cursor.hash,
                "tier": cursor.tier,
                "since": cursor.since,
            }
            for member, cursor in cursors.items()
        ]
        if values:
            await self._uow.connection.execute(_SAVE_CURSOR, values)

    async def known_intents(self, intents: Collection[Intent]) -> set[Intent]:
        by_id = {intent.message_id: intent for intent in intents}
        wanted = {
            "members": [UUID(intent.member_id) for intent in by_id.values()],
            "messages": [UUID(message_id) for message_id in by_id],
        }
        rows = await self._uow.connection.execute(_KNOWN_MESSAGES, wanted)
        return {by_id[MessageId(str(row.message_id))] for row in rows}

    async def rules_in_force(self, instants: Collection[datetime], *, now: datetime) -> dict[datetime, Rules | None]:
        return await self._programmes.in_force(self._uow.connection, instants, now=now)

    async def rules_of(self, version: int) -> Rules:
        return await self._programmes.rules(self._uow.connection, version)

    async def record(
        self, steps: Sequence[tuple[Message, Step]], *, now: datetime, lease_until: datetime | None = None
    ) -> list[str]:
        if not steps:
            return []
        events = [self._append(message, step, now) for message, step in steps]
        messages = [_message_values(message, step, lease_until) for message, step in steps]
        connection = self._uow.connection
        await connection.execute(_INSERT_EVENT, events)
        await connection.execute(_UPSERT_MESSAGE, messages)
        await connection.execute(_SAVE_CHAIN, self._chain_values({message.member_id for message, _ in steps}))
        refs = [f"{event['member_id']}/{event['member_seq']}" for event in events]
        keyed = zip(events, refs, strict=True)
        await self._uow.add_outbox(OutboxRow(TOPIC, str(event["member_id"]), ref) for event, ref in keyed)
        return refs

    async def give(self, given: Sequence[Gift], *, now: datetime) -> None:
        await gifts.give(self._uow, given, now=now)

    async def gone(self, member_ids: Collection[MemberId]) -> set[MemberId]:
        asked = {"members": [UUID(member) for member in member_ids], "gone": sorted(GONE)}
        return {_member(row) for row in await self._uow.connection.execute(_GONE, asked)}

    async def due(self, *, now: datetime, limit: int) -> list[Due]:
        rows = (await self._uow.connection.execute(_LOCK_DUE, {"now": now, "limit": limit})).all()
        self._remember(rows)
        return [Due(message_of(row), row.member_tier) for row in rows]

    async def lapsed(self, *, now: datetime, limit: int) -> list[Message]:
        rows = (await self._uow.connection.execute(_LOCK_LAPSED, {"now": now, "limit": limit})).all()
        self._remember(rows)
        return [message_of(row) for row in rows]

    async def lock_submission(self, submission: Submission) -> bool:
        message = submission.message
        wanted = {
            "member": UUID(message.member_id),
            "message": UUID(message.message_id),
            "attempts": message.attempts,
        }
        rows = (await self._uow.connection.execute(_LOCK_SUBMISSION, wanted)).all()
        self._remember(rows)
        return bool(rows)

    def _remember(self, rows: Sequence[Row[Any]]) -> None:
        self._chains |= {_member(row): _Chain(row.message_seq, row.chain_head) for row in rows}

    def _append(self, message: Message, step: Step, now: datetime) -> dict[str, Any]:
        chain = self._chains[message.member_id]
        fact = facts.encode(message, step, member_seq=chain.seq + 1, recorded_at=now)
        head = facts.chain(chain.head, message.member_id, fact)
        self._chains[message.member_id] = _Chain(chain.seq + 1, head)
        return {
            "member_id": UUID(message.member_id),
            "member_seq": chain.seq + 1,
            "message_id": UUID(message.message_id),
            "fate": step.fate,
            "reason": step.reason,
            "recorded_at": now,
            "fact": fact,
            "hash": head,
        }

    def _chain_values(self, members: Collection[MemberId]) -> list[dict[str, Any]]:
        chains = ((member, self._chains[member]) for member in members)
        return [{"member_id": UUID(member), "seq": chain.seq, "head": chain.head} for member, chain in chains]


@dataclass(frozen=True, slots=True)
class PostgresTransactions:
    """Runs work on a store of its own transaction, again where the database asks for it."""

    database: Database
    programmes: Programmes

    async def run(self, work: Callable[[Store], Awaitable[T]]) -> T:
        return await self.database.run(lambda uow: work(PostgresStore(uow, self.programmes)))


@dataclass(frozen=True, slots=True)
class PostgresBirthdayTransactions:
    """The same, on the store together with the agenda."""

    database: Database
    programmes: Programmes

    async def run(self, work: Callable[[Store, Agenda], Awaitable[T]]) -> T:
        return await self.database.run(
            lambda uow: work(PostgresStore(uow, self.programmes), PostgresAgenda(uow, self.programmes))
        )


def _member(row: Row[Any]) -> MemberId:
    return MemberId(str(row.member_id))


def message_of(row: Row[Any]) -> Message:
    return Message(
        intent=Intent(_member(row), row.campaign, row.occurrence, row.channel),
        template=row.template,
        purpose=row.purpose,
        programme_version=row.programme_version,
        occasion=_occasion(row),
        due_at=row.due_at,
        expires_at=row.expires_at,
        fate=row.fate,
        attempts=row.attempts,
        refusals=row.refusals,
    )


def _occasion(row: Row[Any]) -> Occasion:
    if row.occasion == "birthday":
        return BirthdayComes(row.birthday_day)
    return TierReached(row.tier, row.effective_from, row.valid_until)


def _occasion_values(occasion: Occasion) -> dict[str, Any]:
    tier = occasion if isinstance(occasion, TierReached) else None
    return {
        "occasion": facts.occasion_name(occasion),
        "tier": tier.tier if tier else None,
        "effective_from": tier.effective_from if tier else None,
        "valid_until": tier.valid_until if tier else None,
        "birthday_day": occasion.day if isinstance(occasion, BirthdayComes) else None,
    }


def _message_values(message: Message, step: Step, lease_until: datetime | None) -> dict[str, Any]:
    return {
        "member_id": UUID(message.member_id),
        "message_id": UUID(message.message_id),
        "campaign": message.intent.campaign,
        "occurrence": message.intent.occurrence,
        "channel": message.intent.channel,
        "template": message.template,
        "purpose": message.purpose,
        "programme_version": message.programme_version,
        **_occasion_values(message.occasion),
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "fate": message.fate,
        "attempts": message.attempts,
        "refusals": message.refusals,
        "next_at": (step.retry_at or message.due_at) if step.fate == "planned" else None,
        "lease_until": lease_until if step.fate == "submitting" else None,
    }


_INSERT_STREAMS = text(
    "INSERT INTO stream (member_id) SELECT unnest(CAST(:members AS uuid[])) ON CONFLICT (member_id) DO NOTHING"
)
_LOCK_STREAMS = text(
    "SELECT member_id, message_seq, chain_head, tier_seq, tier_hash, tier AS member_tier, tier_since FROM stream"
    " WHERE member_id = ANY(CAST(:members AS uuid[])) ORDER BY member_id FOR UPDATE"
)
_SAVE_CURSOR = text(
    "UPDATE stream SET tier_seq = :seq, tier_hash = :hash, tier = :tier, tier_since = :since"
    " WHERE member_id = :member_id"
)
_SAVE_CHAIN = text("UPDATE stream SET message_seq = :seq, chain_head = :head WHERE member_id = :member_id")
_KNOWN_MESSAGES = text(
    "SELECT message_id FROM message WHERE (member_id, message_id) IN"
    " (SELECT * FROM unnest(CAST(:members AS uuid[]), CAST(:messages AS uuid[])))"
)
_GONE = text(
    "SELECT member_id FROM member_state WHERE member_id = ANY(CAST(:members AS uuid[]))"
    " AND status = ANY(CAST(:gone AS text[]))"
)
_INSERT_EVENT = text(
    "INSERT INTO message_event (member_id, member_seq, message_id, fate, reason, recorded_at, fact, hash)"
    " VALUES (:member_id, :member_seq, :message_id, :fate, :reason, :recorded_at, :fact, :hash)"
)
_UPSERT_MESSAGE = text(
    "INSERT INTO message (member_id, message_id, campaign, occurrence, channel, template, purpose, programme_version,"
    " occasion, tier, effective_from, valid_until, birthday_day,"
    " due_at, expires_at, fate, attempts, refusals, next_at, lease_until)"
    " VALUES (:member_id, :message_id, :campaign, :occurrence, :channel, :template, :purpose, :programme_version,"
    " :occasion, :tier, :effective_from, :valid_until, :birthday_day,"
    " :due_at, :expires_at, :fate, :attempts, :refusals, :next_at, :lease_until)"
    " ON CONFLICT (member_id, message_id) DO UPDATE SET fate = excluded.fate, attempts = excluded.attempts,"
    " refusals = excluded.refusals, next_at = excluded.next_at, lease_until = excluded.lease_until"
)
_WITH_STREAM = (
    "SELECT m.*, s.message_seq, s.chain_head, s.tier AS member_tier FROM message m JOIN stream s USING (member_id)"
)
_LOCK_DUE = text(
    f"{_WITH_STREAM} WHERE m.fate = 'planned' AND m.next_at <= :now ORDER BY m.next_at LIMIT :limit"
    " FOR UPDATE OF m, s SKIP LOCKED"
)
_LOCK_LAPSED = text(
    f"{_WITH_STREAM} WHERE m.fate = 'submitting' AND m.lease_until <= :now ORDER BY m.lease_until LIMIT :limit"
    " FOR UPDATE OF m, s SKIP LOCKED"
)
_LOCK_SUBMISSION = text(
    f"{_WITH_STREAM} WHERE m.member_id = :member AND m.message_id = :message AND m.fate = 'submitting'"
    " AND m.attempts = :attempts FOR UPDATE OF m, s"
)
