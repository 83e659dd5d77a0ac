import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, Literal, get_args

from fastapi import FastAPI
from sqlalchemy import text

from services.runtime.errors import HaltError, Transient
from services.runtime.http.app import create_app
from services.runtime.http.auth import Authenticator
from services.runtime.http.readiness import Check, Readiness
from services.runtime.kafka.consumer import ConsumerLoop
from services.runtime.kafka.faults import is_broker_trouble
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.relay import Relay, RelayOptions
from services.runtime.postgres.faults import is_transient
from services.runtime.process.consumption import consumption
from services.runtime.process.definition import Api, Context, ServiceDefinition
from services.runtime.process.guard import StartGuard
from services.runtime.process.jobs import JobRunner
from services.runtime.process.server import listen, serve
from services.runtime.process.set_aside import tell_set_aside
from services.runtime.process.signals import stop_on_signals
from services.runtime.process.waiting import backoff_seconds, stopped_within
from services.runtime.telemetry.heartbeat import Heartbeat
from services.runtime.telemetry.kafka import LoopTelemetry, RelayTelemetry
from services.runtime.telemetry.log import describe, logger

Role = Literal["api", "consume", "relay", "jobs"]
ROLES: tuple[Role, ...] = get_args(Role)
_log = logger(__name__)
Loop = Callable[[asyncio.Event], Awaitable[None]]


class Process:
    """The roles of one service in one event loop; operational paths are always served, work begins behind the guard."""

    def __init__(self, definition: ServiceDefinition[Any], context: Context[Any], roles: Collection[Role]) -> None:
        self._definition = definition
        self._context = context
        self._roles = frozenset(roles)
        self._readiness = Readiness()
        self._heartbeat = Heartbeat()
        self._stop = asyncio.Event()
        self._readiness.add("database", self._database_check)
        self._guard = StartGuard(
            service=definition.name,
            database=context.database,
            kafka=context.kafka,
            owner=definition.topic_owner(context) if definition.topic_owner else None,
            readiness=self._readiness,
            metrics=context.metrics,
            recheck_seconds=context.settings.guard_recheck_seconds,
        )

    async def run(self) -> None:
        """Returns after a graceful stop; what a role could not live with is raised as an exception group."""
        app, listener, loops = self._app(), self._listener(), self._loops()
        _log.info("listening", host=self._context.settings.host, port=listener.getsockname()[1])
        with stop_on_signals(self._stop):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heartbeat.run(self._stop), name="heartbeat")
                tasks.create_task(serve(app, listener, self._stop), name="http")
                tasks.create_task(self._work(loops), name="work")
        _log.info("stopped")

    def _app(self) -> FastAPI:
        context, make = self._context, self._definition.api
        api = make(context) if make and "api" in self._roles else Api(routers=())
        return create_app(
            title=f"loyalty {self._definition.name}",
            routers=api.routers,
            readiness=self._readiness,
            authenticator=Authenticator(context.database),
            refusals=api.refusals,
            body_limit_bytes=api.body_limit_bytes,
            streamed=api.streamed,
            metrics=context.metrics,
            heartbeat=self._heartbeat,
            middleware=api.middleware,
        )

    def _listener(self) -> socket.socket:
        settings = self._context.settings
        name = "port" if "api" in self._roles else "ops_port"
        port = getattr(settings, name)
        return listen(settings.host, port, setting=f"LOYALTY_{settings.service}_{name}".upper())

    def _loops(self) -> dict[str, Loop]:
        """Made before anything runs, so that a missing key file or setting ends the process at once."""
        definition, context, loops = self._definition, self._context, dict[str, Loop]()
        if definition.handlers and "consume" in self._roles:
            handlers = definition.handlers(context)
            loops["consume"] = self._consumer(handlers)
            loops["set_aside"] = partial(
                tell_set_aside, context.database, context.metrics, definition.name, handlers.keys()
            )
        if definition.outbox_source and "relay" in self._roles:
            loops["relay"] = self._relay()
        if definition.jobs and "jobs" in self._roles:
            runner = JobRunner(definition.jobs(context), context.metrics)
            self._readiness.add("jobs", runner.check)
            loops["jobs"] = runner.run
        if definition.publishes:
            loops["publisher"] = self._publish
        return loops

    async def _work(self, loops: dict[str, Loop]) -> None:
        if not await self._guard.passed(self._stop):
            return
        async with asyncio.TaskGroup() as tasks:
            for name, loop in loops.items():
                tasks.create_task(self._kept_running(name, loop), name=name)

    async def _kept_running(self, name: str, loop: Loop) -> None:
        attempt = 0
        while not self._stop.is_set():
            try:
                async with self._guard.released_later(name):
                    await loop(self._stop)
                return
            except HaltError as halt:
                self._guard.hold(name, halt)
                await self._guard.passed_again(self._stop)
            except Exception as error:
                if not _passes_by_itself(error):
                    raise
                _log.warning("role_waits", role=name, detail=describe(error))
                await stopped_within(self._stop, backoff_seconds(attempt))
                attempt += 1

    def _consumer(self, handlers: Mapping[str, Handler[Any]]) -> Loop:
        definition, context = self._definition, self._context
        seal = context.seal

        async def consume(stop: asyncio.Event) -> None:
            context.consumer = ConsumerLoop(
                kafka=context.kafka,
                database=context.database,
                group=definition.name,
                handlers=handlers,
                clock=context.clock,
                seal=seal,
                options=definition.loop_options,
                metrics=LoopTelemetry(context.metrics),
            )
            await context.consumer.run(stop)

        self._readiness.add("consumer", self._consumer_check)
        return consume

    def _relay(self) -> Loop:
        definition, context = self._definition, self._context
        assert definition.outbox_source is not None
        source, shard = definition.outbox_source(context), context.settings.relay_shard

        async def relay(stop: asyncio.Event) -> None:
            await Relay(
                service=definition.name,
                kafka=context.kafka,
                database=context.database,
                source=source,
                shard=shard,
                clock=context.clock,
                options=RelayOptions(shards=context.settings.relay_shards),
                metrics=RelayTelemetry(context.metrics, shard),
            ).run(stop)

        return relay

    async def _publish(self, stop: asyncio.Event) -> None:
        publisher = self._context.publisher
        await publisher.start()
        try:
            await stop.wait()
        finally:
            await publisher.stop()

    async def _consumer_check(self) -> Check:
        consumer = self._context.consumer
        return consumption(consumer.status() if consumer else None)

    async def _database_check(self) -> Check:
        try:
            async with self._context.database.read() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:
            return Check(ok=False, detail=describe(error))
        return Check(ok=True)


def _passes_by_itself(error: Exception) -> bool:
    return isinstance(error, Transient) or is_transient(error) or is_broker_trouble(error)
