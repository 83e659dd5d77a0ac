"""A service in this process as its `__main__` defines it: API through ASGI, consumer loop and relay as tasks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from services.runtime.http.access import create_key
from services.runtime.http.app import create_app
from services.runtime.http.auth import Authenticator
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.consumer import ConsumerLoop, LoopOptions
from services.runtime.kafka.guard import check_topics_not_ahead
from services.runtime.kafka.handler import CaughtUp
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.relay import Relay
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.migrate import role_of
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import Api, Context, ServiceDefinition, system_clock
from services.runtime.process.server import listen, serve

QUICK = LoopOptions(
    caught_up_interval_seconds=0.2,
    not_ready_pause_seconds=0.05,
    idle_poll_seconds=0.1,
    stopped_lag_interval_seconds=0.2,
)
PATIENCE_SECONDS = 30
LOOK_SECONDS = 0.03


@dataclass
class RunningService:
    """`client` holds a key with every scope; `owner` sees the database as its login role does."""

    definition: ServiceDefinition[Any]
    context: Context[Any]
    owner: Database
    app: FastAPI
    client: AsyncClient

    async def client_with(self, *scopes: str) -> dict[str, str]:
        return bearer(await create_key(self.owner, owner="somebody", scopes=scopes, sources=()))

    async def published(self, topic: str) -> list[Record[bytes | None]]:
        return [record async for batch in read_topic(self.context.kafka, topic) for record in batch]

    async def until_published(self, topic: str, count: int) -> list[Record[bytes | None]]:
        records: list[Record[bytes | None]] = []

        async def enough() -> bool:
            records[:] = await self.published(topic)
            return len(records) >= count

        await eventually(enough)
        return records

    async def send(self, *messages: Message) -> None:
        publisher = KafkaPublisher(self.context.kafka)
        await publisher.start()
        try:
            await publisher.send_many(messages)
        finally:
            await publisher.stop()

    async def take(self, *messages: Message) -> None:
        """Hands the messages to the handlers as the loop does, one batch per topic, without a broker between."""
        assert self.definition.handlers is not None
        handlers = self.definition.handlers(self.context)
        for topic in dict.fromkeys(message.topic for message in messages):
            handler = handlers[topic]
            raws = [_record(offset, each) for offset, each in enumerate(messages) if each.topic == topic]
            async with self.context.database.begin() as uow:
                await handler.handle(uow, [_decoded(raw, handler.decode(raw)) for raw in raws])
                if isinstance(handler, CaughtUp):
                    await handler.caught_up(uow, 0, self.context.clock(), any_parked=False)

    async def check_guard(self) -> None:
        assert self.definition.topic_owner is not None
        owner = self.definition.topic_owner(self.context)
        await check_topics_not_ahead(kafka=self.context.kafka, database=self.context.database, owner=owner)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The API on a port of its own, for clients that want an address."""
        stop, listener = asyncio.Event(), listen("127.0.0.1", 0, setting="")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(self.app, listener, stop))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                stop.set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Consumes and relays until the block ends."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._consumer().run(stop))
            tasks.create_task(self._relay().run(stop))
            try:
                yield
            finally:
                stop.set()

    def _consumer(self) -> ConsumerLoop:
        definition, context = self.definition, self.context
        assert definition.handlers is not None
        context.consumer = ConsumerLoop(
            kafka=context.kafka,
            database=context.database,
            group=definition.name,
            handlers=definition.handlers(context),
            clock=context.clock,
            seal=context.seal,
            options=QUICK,
        )
        return context.consumer

    def _relay(self) -> Relay:
        definition, context = self.definition, self.context
        assert definition.outbox_source is not None
        return Relay(
            service=definition.name,
            kafka=context.kafka,
            database=context.database,
            source=definition.outbox_source(context),
            clock=context.clock,
        )


@asynccontextmanager
async def running_service(
    definition: ServiceDefinition[Any],
    *,
    database_url: str,
    keys: Path,
    kafka: str = "127.0.0.1:1",
    topic_prefix: str = "t.",
    clock: Callable[[], datetime] = system_clock,
    **settings: Any,
) -> AsyncIterator[RunningService]:
    if not (keys / "seal").exists():
        write_key_file(keys / "seal")
    loaded = definition.settings.load(definition.name, seal_key_file=keys / "seal", **settings)
    database = Database(create_engine(database_url, role=role_of(definition.name), schema=definition.name))
    owner = Database(create_engine(database_url, role=None, schema=definition.name, pool_size=2))
    context = Context(loaded, database, KafkaSettings(kafka, topic_prefix), clock=clock)
    try:
        key = await create_key(owner, owner="ann", scopes=["*"], sources=["*"])
        app = _app(definition, context)
        transport, url = ASGITransport(app), f"http://{definition.name}"
        async with AsyncClient(transport=transport, base_url=url, headers=bearer(key)) as client:
            yield RunningService(definition, context, owner, app, client)
    finally:
        await database.dispose()
        await owner.dispose()


async def eventually(condition: Callable[[], Any]) -> None:
    """Until the condition, which may be a coroutine function, holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(LOOK_SECONDS)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _record(offset: int, message: Message) -> Record[bytes | None]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Record(message.topic, 0, offset, message.key, message.headers, at, message.value)


def _decoded(raw: Record[bytes | None], value: Any) -> Record[Any]:
    return Record(raw.topic, raw.partition, raw.offset, raw.key, raw.headers, raw.appended_at, value)


def _app(definition: ServiceDefinition[Any], context: Context[Any]) -> FastAPI:
    api = definition.api(context) if definition.api else Api(routers=())
    return create_app(
        title=definition.name,
        routers=api.routers,
        readiness=Readiness(),
        authenticator=Authenticator(context.database),
        refusals=api.refusals,
        body_limit_bytes=api.body_limit_bytes,
        streamed=api.streamed,
        metrics=context.metrics,
    )
