"""The door in this process, on a real broker and a real database: API through ASGI, consumer and relay as tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from httpx import ASGITransport, AsyncClient
from sqlalchemy import text

from schemas.members import IdentityDigest, MemberState
from services.ingest.__main__ import SERVICE
from services.ingest.settings import IngestSettings
from services.runtime.digests import normalise
from services.runtime.http.access import create_key
from services.runtime.http.app import create_app
from services.runtime.http.auth import Authenticator
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.checkpoints import PartitionId, move
from services.runtime.kafka.consumer import ConsumerLoop, LoopOptions
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.reader import begin_offsets, read_topic
from services.runtime.kafka.relay import Relay
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process import Context
from tests.support.checkouts import body

PATIENCE_SECONDS = 20.0
SCOPES = ("checkouts:write", "checkouts:read", "checkouts:claim", "activities:write")
OPTIONS = LoopOptions(
    batch_wait_seconds=0.02,
    idle_poll_seconds=0.05,
    session_timeout_ms=10_000,
    caught_up_interval_seconds=0.2,
    not_ready_pause_seconds=0.1,
)
PROGRAMME: dict[str, Any] = {
    "programme": "acme",
    "version": 1,
    "effective_from": "2026-01-01T00:00:00+08:00",
    "time_zone": "Asia/Shanghai",
    "currency": "CNY",
    "units": {"points": {"name": {"en": "points"}}},
}


@dataclass(frozen=True)
class IngestService:
    """`client` speaks with all scopes for the source pos.acme; `owner` is the database as its login role sees it."""

    client: AsyncClient
    context: Context[IngestSettings]
    owner: Database

    async def send(self, checkout: Any) -> str:
        answer = await self.client.post("/v1/checkouts", json=checkout)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["event_id"])

    async def publish(
        self, value: bytes | None, headers: dict[str, str] | None = None, *, topic: str = "checkouts", key: str = "k"
    ) -> None:
        await self.context.publisher.send(Message(topic, key, value, headers or {}))

    async def publish_programme(self, **changes: Any) -> None:
        document = PROGRAMME | changes
        event = {"published_at": "2026-01-01T00:00:00Z", "document": document}
        event |= {name: document[name] for name in ("version", "effective_from")}
        await self.publish(body(event), topic="programme", key="programme")

    async def register(self, *identities: tuple[str, str], member_id: UUID | None = None, **changes: Any) -> str:
        """Publishes a member's state as the members service does."""
        member = member_state(self.context, *identities, member_id=member_id, **changes)
        await self.publish(member.model_dump_json().encode(), topic="members", key=member.member_id)
        return member.member_id

    async def known(self, *identities: tuple[str, str], **changes: Any) -> str:
        """The same, and waits until the door has heard of it."""
        member_id = await self.register(*identities, **changes)
        version = changes.get("version", 1)
        await self.until(lambda: self.count(f"member WHERE member_id = '{member_id}' AND version >= {version}"))
        return member_id

    async def publish_many(self, values: Sequence[bytes]) -> None:
        """Into one partition, as one batch."""
        await self.context.publisher.send_many([Message("checkouts", "k", value, {}) for value in values])

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():
                await asyncio.sleep(0.02)

    async def key_of(self, *sources: str) -> dict[str, str]:
        key = await create_key(self.owner, owner="somebody", scopes=SCOPES, sources=sources)
        return {"Authorization": f"Bearer {key}"}

    async def check_guard(self) -> None:
        assert SERVICE.topic_owner is not None
        owner = SERVICE.topic_owner(self.context)
        await check_topics_not_ahead(kafka=self.context.kafka, database=self.context.database, owner=owner)

    async def read_again(self, topic: str) -> None:
        """Moves the door's positions in the topic back to the beginning, as a person would."""
        begins = await begin_offsets(self.context.kafka, topic)
        async with self.context.database.begin() as uow:
            for partition, offset in begins.items():
                await move(uow, PartitionId("ingest", topic, partition), to_offset=offset)

    async def execute(self, statement: str) -> None:
        async with self.owner.begin() as uow:
            await uow.connection.execute(text(statement))

    async def status(self, event_id: str) -> dict[str, Any] | None:
        answer = await self.client.get(f"/v1/checkouts/{event_id}")
        return answer.json() if answer.status_code == 200 else None

    async def becomes(self, event_id: str, **expected: Any) -> dict[str, Any]:
        """The status of a checkout once it says what is expected; fails with what it says instead."""
        status: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while status is None or expected.items() - _shown(status).items():
                    await asyncio.sleep(0.02)
                    status = await self.status(event_id)
        except TimeoutError:
            raise AssertionError(f"expected {expected}, but it is {status}") from None
        return status

    async def dead_letters(self, count: int) -> Sequence[Any]:
        rows: Sequence[Any] = ()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(rows) < count:
                await asyncio.sleep(0.02)
                async with self.context.database.read() as connection:
                    rows = (await connection.execute(text('SELECT * FROM dead_letter ORDER BY "offset"'))).all()
        return rows

    async def count(self, table: str) -> int:
        async with self.context.database.read() as connection:
            return int(await connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)

    async def published(self, topic: str) -> list[Record[bytes | None]]:
        """Everything on the topic, once the outbox is empty."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.count("outbox"):
                await asyncio.sleep(0.02)
        return [record async for batch in read_topic(self.context.kafka, topic) for record in batch]


@asynccontextmanager
async def ingest_service(
    *, kafka: str, topic_prefix: str, database_url: str, keys: Path, **settings: Any
) -> AsyncIterator[IngestService]:
    context = _context(kafka, topic_prefix, database_url, keys, settings)
    owner = Database(create_engine(database_url, role=None, schema="ingest", pool_size=2))
    await apply_topics(context.kafka, partitions=2, replication=1)
    await context.publisher.start()
    try:
        key = await create_key(owner, owner="shop", scopes=SCOPES, sources=["pos.acme"])
        async with _running(context), _client(context, key) as client:
            yield IngestService(client, context, owner)
    finally:
        await context.publisher.stop()
        await context.database.dispose()
        await owner.dispose()


def member_state(
    context: Context[IngestSettings], *identities: tuple[str, str], member_id: UUID | None = None, **changes: Any
) -> MemberState:
    digests = [(kind, context.digests.digest(kind, normalise(kind, value))) for kind, value in identities]
    now = datetime.now(UTC)
    given: dict[str, Any] = {
        "member_id": str(member_id or uuid4()),
        "version": 1,
        "status": "active",
        "joined_at": now,
        "recorded_at": now,
        "identities": tuple(IdentityDigest(kind=kind, digest=digest.hex()) for kind, digest in digests),
    }
    return MemberState(**(given | changes))


def _context(
    kafka: str, topic_prefix: str, database_url: str, keys: Path, settings: dict[str, Any]
) -> Context[IngestSettings]:
    for name in ("identity", "seal"):
        if not (keys / name).exists():
            write_key_file(keys / name)
    given = {"identity_key_file": keys / "identity", "seal_key_file": keys / "seal", "rematch_every": 3600}
    return Context(
        settings=IngestSettings.load("ingest", **(given | settings)),
        database=Database(create_engine(database_url, role="loyalty_ingest", schema="ingest")),
        kafka=KafkaSettings(kafka, topic_prefix),
    )


@asynccontextmanager
async def _running(context: Context[IngestSettings]) -> AsyncIterator[None]:
    assert SERVICE.handlers is not None
    assert SERVICE.outbox_source is not None
    kafka, database, clock = context.kafka, context.database, context.clock
    handlers, source = SERVICE.handlers(context), SERVICE.outbox_source(context)
    loop = ConsumerLoop(
        kafka=kafka,
        database=database,
        group="ingest",
        handlers=handlers,
        clock=clock,
        seal=context.seal,
        options=OPTIONS,
    )
    relay = Relay(service="ingest", kafka=kafka, database=database, source=source, clock=clock)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run(stop))
        tasks.create_task(relay.run(stop))
        try:
            yield
        finally:
            stop.set()


def _client(context: Context[IngestSettings], key: str) -> AsyncClient:
    assert SERVICE.api is not None
    served = SERVICE.api(context)
    app = create_app(
        title="ingest",
        routers=served.routers,
        readiness=Readiness(),
        authenticator=Authenticator(context.database),
        refusals=served.refusals,
        streamed=served.streamed,
        metrics=context.metrics,
    )
    return AsyncClient(
        transport=ASGITransport(app), base_url="http://ingest", headers={"Authorization": f"Bearer {key}"}
    )


def _shown(status: dict[str, Any]) -> dict[str, Any]:
    return status | {"conflicts": len(status["conflicts"])}
