"""The notifier's parts joined as its `__main__` joins them, on a real broker and a real database."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from schemas.members import Contact, MemberState
from schemas.programme import PROGRAMME_KEY, ProgrammeDocument, ProgrammePublished
from schemas.tiers import MetricWindow, TierChanged
from services.notifier.__main__ import SERVICE, birthday_herald, birthday_planner, handlers, sender
from services.notifier.adapters.contacts import HttpContacts
from services.notifier.settings import NotifierSettings
from services.runtime.kafka.handler import CaughtUp, Handler
from services.runtime.kafka.relay import Relay
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import role_of
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process import Context
from tests.support.contact_desk import KEY

_STEPS = text("SELECT fate, reason FROM message_event ORDER BY member_id, member_seq")
_AGENDA = text("SELECT occurrence, due_at FROM agenda ORDER BY due_at, member_id, campaign")
_GIFTS = text("SELECT body FROM gift_json ORDER BY body->>'occurred_at', member_id, event_id")
SENDER = "Acme <hello@acme.example>"


class HandClock:
    """Starts at the present and moves only when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class NotifierUnderTest:
    """Handlers and sender run when a test says so; the relay runs by itself while it is wanted."""

    settings: NotifierSettings
    database: Database
    kafka: KafkaSettings
    clock: HandClock = field(default_factory=HandClock)

    def __post_init__(self) -> None:
        self.context = Context(self.settings, self.database, self.kafka, clock=self.clock)
        self._handlers = handlers(self.context)
        self.sender = sender(self.context, KEY)
        self.planner = birthday_planner(self.context)
        self.herald = birthday_herald(self.context)

    async def take(self, topic: str, *records: Record[bytes | None]) -> None:
        handler: Handler[Any] = self._handlers[topic]
        decoded = [_with_value(record, handler.decode(record)) for record in records]
        await self.database.run(lambda uow: handler.handle(uow, decoded))

    async def know(self, document: ProgrammeDocument) -> None:
        """The programme is known, and known to be the newest."""
        await self.take("programme", programme_record(document))
        await self.confirm_programme()

    async def confirm_programme(self) -> None:
        reader = self._handlers["programme"]
        assert isinstance(reader, CaughtUp)
        async with self.database.begin() as uow:
            await reader.caught_up(uow, 0, self.clock.now, any_parked=False)

    async def begin(self, document: ProgrammeDocument, *, at: datetime) -> None:
        """The watch over birthdays begins now, before any member is heard of."""
        self.clock.now = at.astimezone(UTC)
        await self.know(document)
        await self.look_ahead()

    async def look_ahead(self) -> None:
        """Sweeps until every day of the horizon is swept."""
        while await self.planner.run_once():
            pass

    async def jump_to(self, instant: datetime) -> None:
        """Time passes, and the birthdays that come with it are announced."""
        self.clock.now = instant.astimezone(UTC)
        await self.confirm_programme()
        await self.look_ahead()
        while await self.herald.run_once():
            pass

    async def ahead(self) -> list[tuple[str, datetime]]:
        """Occurrences and instants of the agenda, the next one first."""
        async with self.database.read() as connection:
            return [(row.occurrence, row.due_at) for row in await connection.execute(_AGENDA)]

    async def gifts(self) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            return [row.body for row in await connection.execute(_GIFTS)]

    async def steps(self) -> list[tuple[str, str | None]]:
        async with self.database.read() as connection:
            return [(row.fate, row.reason) for row in await connection.execute(_STEPS)]

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        assert SERVICE.outbox_source is not None
        stop = asyncio.Event()
        source = SERVICE.outbox_source(self.context)
        relay = Relay(service="notifier", kafka=self.kafka, database=self.database, source=source, clock=self.clock)
        running = asyncio.create_task(relay.run(stop))
        try:
            yield
        finally:
            stop.set()
            await running


@asynccontextmanager
async def notifier_under_test(
    *, kafka: str, topic_prefix: str, database_url: str, members_url: str, smtp_port: int
) -> AsyncIterator[NotifierUnderTest]:
    settings = NotifierSettings.load(
        "notifier",
        kafka=kafka,
        topic_prefix=topic_prefix,
        database_url=database_url,
        members_url=members_url,
        notifier_key=KEY,
        smtp_port=smtp_port,
        smtp_from=SENDER,
    )
    database = Database(create_engine(database_url, role=role_of("notifier"), schema="notifier", pool_size=4))
    notifier = NotifierUnderTest(settings, database, settings.kafka_settings())
    try:
        yield notifier
    finally:
        contacts = notifier.sender.contacts
        assert isinstance(contacts, HttpContacts)
        await contacts.client.aclose()
        await database.dispose()


def new_member() -> str:
    return str(uuid4())


def contact(member_id: str, **changes: Any) -> Contact:
    values: dict[str, Any] = {
        "member_id": member_id,
        "status": "active",
        "consent": True,
        "address": "li@example.com",
        "locale": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "name": "李雷",
    }
    return Contact.model_validate(values | changes)


def programme(version: int = 1, **changes: Any) -> ProgrammeDocument:
    return ProgrammeDocument.model_validate(
        {
            "programme": "acme",
            "version": version,
            "effective_from": "2026-01-01T00:00:00+08:00",
            "time_zone": "Asia/Shanghai",
            "currency": "CNY",
            "units": {"growth": {"kind": "qualifying", "name": {"zh": "成长值", "en": "growth"}}},
            "tiers": {
                "metric": {"unit": "growth"},
                "levels": [
                    {"id": "silver", "name": {"zh": "银卡", "en": "Silver"}, "reach": 1000},
                    {"id": "gold", "name": {"zh": "金卡", "en": "Gold"}, "reach": 5000},
                ],
            },
            "campaigns": [
                {"id": "welcome-gold", "on": {"tier": "gold"}, "channels": ["email"], "template": "welcome-gold"}
            ],
            "templates": {
                "welcome-gold": {
                    "zh": {
                        "subject": "{{ member.name }}，恭喜您成为{{ tier }}会员",
                        "body": "有效期至 {{ tier.valid_until }}",
                    },
                    "en": {
                        "subject": "{{ member.name }}, you are {{ tier }} now",
                        "body": "Until {{ tier.valid_until }}",
                    },
                }
            },
        }
        | changes
    )


def birthday_programme(version: int = 1, **birthday: Any) -> ProgrammeDocument:
    """One campaign on birthdays, with a gift; `birthday` changes when it speaks, `changes` the campaign itself."""
    changes = birthday.pop("changes", {})
    campaign = {
        "id": "birthday",
        "on": {"birthday": {"at": "09:00"} | birthday},
        "channels": ["email"],
        "template": "birthday",
        "gift": {"unit": "points", "points": 100},
    }
    texts = {
        "zh": {
            "subject": "{{ member.name }}，生日快乐",
            "body": "{{ birthday.day }}：{{ gift.points }} {{ gift.unit }}",
        },
        "en": {
            "subject": "Happy birthday, {{ member.name }}",
            "body": "{{ birthday.day }}: {{ gift.points }} {{ gift.unit }}",
        },
    }
    return programme(
        version,
        units={
            "growth": {"kind": "qualifying", "name": {"zh": "成长值", "en": "growth"}},
            "points": {"name": {"zh": "积分", "en": "points"}},
        },
        campaigns=[campaign | changes],
        templates={"birthday": texts},
    )


def registered(member_id: str, at: datetime, **changes: Any) -> Record[bytes | None]:
    """The state of a member of Shanghai who joined then, on topic `members`; `birthday` is (month, day)."""
    month, day = changes.pop("birthday", (6, 10))
    values: dict[str, Any] = {
        "member_id": member_id,
        "version": 1,
        "status": "active",
        "joined_at": at,
        "recorded_at": at,
        "time_zone": "Asia/Shanghai",
        "birthday": {"month": month, "day": day} if month else None,
    }
    state = MemberState.model_validate(values | changes)
    return member_record(state.model_dump_json().encode(), member_id)


def tier_changed(member_id: str, at: datetime, **changes: Any) -> TierChanged:
    values: dict[str, Any] = {
        "member_id": member_id,
        "member_seq": 1,
        "event_id": str(uuid4()),
        "from_tier": "silver",
        "to_tier": "gold",
        "reason": "reached",
        "occurred_at": at,
        "effective_from": at,
        "recorded_at": at,
        "valid_until": at + timedelta(days=500),
        "metric": 5200,
        "threshold": 5000,
        "unit": "growth",
        "window": MetricWindow(kind="calendar_year", starts_at=at - timedelta(days=160)),
        "programme_version": 1,
    }
    return TierChanged.model_validate(values | changes)


def tier_record(fact: TierChanged) -> Record[bytes | None]:
    value = json.dumps(fact.model_dump(mode="json"), sort_keys=True).encode()
    digest = hashlib.sha256(value).hexdigest()
    headers = {"member_seq": str(fact.member_seq), "hash": digest, "ce_id": f"{fact.member_id}/{fact.member_seq}"}
    return Record("tiers", 0, fact.member_seq, fact.member_id, headers, fact.recorded_at, value)


def programme_record(document: ProgrammeDocument) -> Record[bytes | None]:
    published = ProgrammePublished(
        version=document.version,
        effective_from=document.effective_from,
        published_at=document.effective_from,
        document=document,
    )
    value = published.model_dump_json().encode()
    return Record("programme", 0, document.version, PROGRAMME_KEY, {}, document.effective_from, value)


def member_record(value: bytes | None, key: str) -> Record[bytes | None]:
    return Record("members", 0, 0, key, {}, datetime(2026, 6, 10, tzinfo=UTC), value)


def _with_value(record: Record[bytes | None], value: object) -> Record[Any]:
    return Record(record.topic, record.partition, record.offset, record.key, record.headers, record.appended_at, value)
