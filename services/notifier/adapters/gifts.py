"""Gifts as they are stored, and published to `activities` where the ledger reads them."""

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import event_headers
from schemas.purchases import ACTIVITY_V1, GIFT_ACTIVITY, GIFT_SOURCE, Activity
from services.notifier.domain.gifts import Gift
from services.notifier.domain.ids import id_of
from services.runtime.ports import Message, OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork

ACTIVITIES_TOPIC = "activities"


async def give(uow: UnitOfWork, gifts: Sequence[Gift], *, now: datetime) -> None:
    """A gift that was given before is not given again."""
    given = {
        "members": [UUID(gift.member_id) for gift in gifts],
        "events": [UUID(event_id(gift)) for gift in gifts],
        "bodies": [encode(gift, recorded_at=now) for gift in gifts],
        "now": now,
    }
    new = (await uow.connection.execute(_GIVE, given)).all()
    await uow.add_outbox(OutboxRow(ACTIVITIES_TOPIC, str(row.member_id), str(row.event_id)) for row in new)


async def published_gifts(connection: AsyncConnection, keys: Sequence[tuple[str, str]]) -> list[Message]:
    """The messages of stored gifts, named by member and event, in the same order."""
    wanted = [(UUID(member), UUID(event)) for member, event in keys]
    arguments = {"members": [member for member, _ in wanted], "events": [event for _, event in wanted]}
    found = {(row.member_id, row.event_id): row for row in await connection.execute(_GIFTS, arguments)}
    return [_published(found[key]) for key in wanted]


async def gifts_of(connection: AsyncConnection, member_id: str) -> list[OutboxRow]:
    """Pointers to all gifts of the member, as they were given; each stands for itself, so nothing is locked."""
    events = await connection.scalars(_GIFTS_OF, {"member_id": member_id})
    return [OutboxRow(ACTIVITIES_TOPIC, member_id, event) for event in events]


def event_id(gift: Gift) -> str:
    """The id that the door would give to an activity of this source."""
    return id_of(GIFT_SOURCE, gift.member_id, GIFT_ACTIVITY, gift.reference)


def encode(gift: Gift, *, recorded_at: datetime) -> bytes:
    """The canonical `activities` value."""
    activity = Activity(
        event_id=event_id(gift),
        member_id=gift.member_id,
        source=GIFT_SOURCE,
        activity=GIFT_ACTIVITY,
        reference=gift.reference,
        occurred_at=gift.occurred_at,
        recorded_at=recorded_at,
        # Over the reference alone: a database that was rebuilt may find another instant for the same occasion,
        # and must not contradict what was given.
        fingerprint=sha256(gift.reference.encode()).hexdigest(),
    )
    return json.dumps(activity.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()


def _published(row: Row[Any]) -> Message:
    headers = event_headers(event_type=ACTIVITY_V1, event_id=str(row.event_id), source=GIFT_SOURCE, at=row.recorded_at)
    return Message(ACTIVITIES_TOPIC, str(row.member_id), bytes(row.body), headers)


_GIVE = text(
    "INSERT INTO gift (member_id, event_id, recorded_at, body)"
    " SELECT member_id, event_id, CAST(:now AS timestamptz), body"
    " FROM unnest(CAST(:members AS uuid[]), CAST(:events AS uuid[]), CAST(:bodies AS bytea[]))"
    " AS given (member_id, event_id, body)"
    " ON CONFLICT (member_id, event_id) DO NOTHING RETURNING member_id, event_id"
)
_GIFTS_OF = text(
    "SELECT event_id::text FROM gift WHERE member_id = CAST(:member_id AS uuid) ORDER BY recorded_at, event_id"
)
_GIFTS = text(
    "SELECT member_id, event_id, recorded_at, body FROM gift WHERE (member_id, event_id) IN"
    " (SELECT * FROM unnest(CAST(:members AS uuid[]), CAST(:events AS uuid[])))"
)
