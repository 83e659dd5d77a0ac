"""The ledger in this process, on a real database and, where asked for, a real broker; its clock is the test's."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, text

from schemas.programme import ProgrammeDocument
from schemas.purchases import ACTIVITY_V1, PURCHASE_V1, Activity, Purchase, PurchaseLine, PurchaseTender
from schemas.tiers import TIER_CHANGED_V1, ChangeReason, MetricWindow, TierChanged
from services.ledger.__main__ import SERVICE
from services.ledger.adapters.verification import Offence, verify_books
from services.runtime.kafka.status import PartitionStatus
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Message
from services.runtime.process.definition import system_clock
from tests.support.points_streams import published
from tests.support.programmes import SMALL, with_change
from tests.support.running_services import RunningService, eventually, running_service

SHANGHAI = ZoneInfo("Asia/Shanghai")
COFFEE_DOUBLE = {
    "id": "coffee-double",
    "when": {"category": "drinks/coffee", "weekdays": ["mon", "tue", "wed", "thu", "fri"]},
    "earn": {"unit": "points", "points": 1, "per": 100},
}
REVIEW = {"id": "review", "when": {"activity": "review"}, "earn": {"unit": "points", "points": 20}}
P = with_change(with_change(SMALL, "earning.rules.2", COFFEE_DOUBLE), "earning.rules.3", REVIEW)
"""Programme P of the worked cases, with a rule for reviews."""

CASE_LINES = (
    PurchaseLine(line=1, sku="latte-l", category="drinks/coffee", net=2640, tax=149),
    PurchaseLine(line=2, sku="cake-m", category="food/cake", net=1450, tax=82),
    PurchaseLine(line=3, sku="gift-100", category="gift-card", net=10000),
)


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """The clock on the wall in Shanghai."""
    return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI)


WEDNESDAY = local(2026, 3, 11, 9, 24, 31)


def new_member() -> str:
    return str(uuid.uuid4())


def purchase(member_id: str, net: int = 1000, *, at: datetime = WEDNESDAY, **changes: Any) -> Message:
    """A sale as ingest publishes it, one line of `net` unless `lines` are given."""
    lines = changes.pop("lines", (PurchaseLine(line=1, sku="sku-1", category="food", net=net),))
    fields: dict[str, Any] = {
        "event_id": str(uuid.uuid4()),
        "member_id": member_id,
        "kind": "sale",
        "source": "pos.acme",
        "store": "0457",
        "terminal": "03",
        "business_day": date(2026, 3, 11),
        "sequence": 1,
        "occurred_at": at,
        "recorded_at": at,
        "fingerprint": "a" * 64,
        "currency": "CNY",
        "lines": lines,
        "tenders": (PurchaseTender(type="card", amount=sum(line.net for line in lines)),),
    }
    sale = Purchase(**(fields | changes))
    return _message("purchases", member_id, sale.event_id, PURCHASE_V1, sale.model_dump_json())


def review(member_id: str, *, at: datetime = WEDNESDAY) -> Message:
    activity = Activity(
        event_id=str(uuid.uuid4()),
        member_id=member_id,
        source="app",
        activity="review",
        reference="r-1",
        occurred_at=at,
        recorded_at=at,
        fingerprint="b" * 64,
    )
    return _message("activities", member_id, activity.event_id, ACTIVITY_V1, activity.model_dump_json())


def tier_change(
    member_id: str, tier: str, *, since: datetime, number: int = 1, reason: ChangeReason = "reached"
) -> Message:
    change = TierChanged(
        member_id=member_id,
        member_seq=number,
        event_id=str(uuid.uuid4()),
        from_tier=None,
        to_tier=tier,
        reason=reason,
        occurred_at=since,
        effective_from=since,
        recorded_at=since,
        metric=5000,
        threshold=5000,
        unit="growth",
        window=MetricWindow(kind="calendar_year", starts_at=local(since.year, 1, 1)),
        programme_version=1,
    )
    return _message("tiers", member_id, f"{member_id}/{number}", TIER_CHANGED_V1, change.model_dump_json())


def programme(document: dict[str, Any] = P) -> Message:
    return published(ProgrammeDocument.model_validate(document), datetime(2026, 1, 1, tzinfo=UTC))


def id_of(message: Message) -> str:
    return message.headers["ce_id"]


CHANGED_ACCOUNT = """
    UPDATE account SET state = convert_to(replace(convert_from(state, 'UTF8'), :was, :becomes), 'UTF8')
    WHERE member_id = :id AND position(CAST(:was AS text) IN convert_from(state, 'UTF8')) > 0
"""
PATIENT = text("SET LOCAL idle_in_transaction_session_timeout = 0")
"""For a transaction that does nothing but hold a lock while others run into it, on however slow a machine."""
WAITING = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE :statement
""")


class SettableClock:
    """Stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class LedgerService:
    """`running` has the client, the topics and the loop; what stands here speaks of points."""

    running: RunningService
    clock: SettableClock

    async def query(self, sql: str, **parameters: Any) -> Sequence[Row[Any]]:
        """As the ledger's role."""
        async with self.running.context.database.begin() as uow:
            return (await uow.connection.execute(text(sql), parameters)).all()

    async def plant(self, sql: str, **parameters: Any) -> None:
        """As the owner of the database, who may do what no service may."""
        async with self.running.owner.begin() as uow:
            changed = (await uow.connection.execute(text(sql), parameters)).rowcount
        assert changed == 1, f"{changed} rows planted"

    async def change_account(self, member_id: str, was: str, becomes: str) -> None:
        """Replaces text in the cached account, which must contain it."""
        await self.plant(CHANGED_ACCOUNT, was=was, becomes=becomes, id=member_id)

    async def has_waiting_sessions(self, statement: str, count: int = 1) -> bool:
        """Whether so many sessions wait for a lock in a statement that contains these words."""
        async with self.running.owner.read() as connection:
            waiting = await connection.scalar(WAITING, {"statement": f"%{statement}%"})
        return int(waiting or 0) >= count

    async def entries(self) -> int:
        return int((await self.query("SELECT count(*) FROM entry"))[0][0])

    async def until_recorded(self, facts: int) -> None:
        async def enough() -> bool:
            return await self.entries() >= facts

        await eventually(enough)

    async def until_outbox_is_empty(self) -> None:
        async def empty() -> bool:
            return not await self.query("SELECT 1 FROM outbox LIMIT 1")

        await eventually(empty)

    async def until_read(self, topic: str, records: int) -> None:
        """Until so many records of the topic, from its beginning, are behind the checkpoints."""

        async def enough() -> bool:
            sql = "SELECT coalesce(sum(next_offset), 0) FROM checkpoint WHERE topic = :topic"
            return int((await self.query(sql, topic=topic))[0][0]) >= records

        await eventually(enough)

    async def until_partition(self, topic: str, state: str) -> PartitionStatus:
        """The first partition of the topic that is in this state, in the loop and in its row."""
        found: list[PartitionStatus] = []

        async def seen() -> bool:
            consumer = self.running.context.consumer
            told = consumer.status().partitions if consumer else ()
            found[:] = [each for each in told if each.topic == topic and each.state == state]
            rows = await self.query("SELECT 1 FROM checkpoint WHERE topic = :t AND state = :s", t=topic, s=state)
            return bool(found and rows)

        await eventually(seen)
        return found[0]

    async def ask(self, path: str, **parameters: Any) -> Any:
        answer = await self.running.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def points(self, member_id: str, **parameters: Any) -> dict[str, Any]:
        """The buckets of unit `points`."""
        units: dict[str, Any] = (await self.ask(f"/v1/members/{member_id}/balances", **parameters))["units"]
        answer: dict[str, Any] = units["points"]
        return answer

    async def facts(self, member_id: str) -> list[dict[str, Any]]:
        entries = (await self.ask(f"/v1/members/{member_id}/entries"))["entries"]
        return [entry["fact"] for entry in entries]

    async def settle(self) -> int:
        assert SERVICE.jobs is not None
        (job,) = SERVICE.jobs(self.running.context)
        return await job.run()

    async def record(self, *messages: Message) -> None:
        await self.running.take(*messages)

    async def offence(self) -> Offence | None:
        return (await verify_books(self.running.context.database, system_clock())).offence


@asynccontextmanager
async def ledger_service(
    *,
    database_url: str,
    keys: Path,
    kafka: str = "127.0.0.1:1",
    topic_prefix: str = "t.",
    now: datetime = WEDNESDAY,
    **settings: Any,
) -> AsyncIterator[LedgerService]:
    clock = SettableClock(now)
    async with running_service(
        SERVICE,
        database_url=database_url,
        keys=keys,
        kafka=kafka,
        topic_prefix=topic_prefix,
        clock=clock,
        **settings,
    ) as running:
        yield LedgerService(running, clock)


async def make_topics(ledger: LedgerService, partitions: int = 2) -> None:
    await apply_topics(ledger.running.context.kafka, partitions=partitions)


def _message(topic: str, key: str, event: str, event_type: str, body: str) -> Message:
    return Message(topic, key, body.encode(), {"ce_id": event, "ce_type": event_type})
