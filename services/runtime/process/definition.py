from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic

from fastapi import APIRouter
from starlette.middleware import Middleware
from typing_extensions import TypeVar

from services.runtime.digests import IdentityDigests
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.app import BODY_LIMIT_BYTES
from services.runtime.http.body import Streamed
from services.runtime.kafka.consumer import ConsumerLoop, LoopOptions
from services.runtime.kafka.guard import TopicOwner
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.relay import OutboxSource
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Clock
from services.runtime.postgres.unit_of_work import Database
from services.runtime.seal import Seal
from services.runtime.settings import ServiceSettings
from services.runtime.telemetry.metrics import Metrics

S = TypeVar("S", bound=ServiceSettings, default=ServiceSettings)
JobRun = Callable[[], Awaitable[int]]


def system_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is due by time; `run` answers how much it did, and is called again at once while that is not 0."""

    name: str
    every_seconds: float
    run: JobRun


@dataclass(frozen=True, slots=True)
class Api:
    """What a service serves over HTTP; `streamed`: by path, media types that its route reads by itself, with limits."""

    routers: Sequence[APIRouter]
    refusals: Mapping[type[Exception], RefusalMapping] = field(default_factory=dict)
    body_limit_bytes: int = BODY_LIMIT_BYTES
    streamed: Streamed = field(default_factory=dict)
    middleware: Sequence[Middleware] = ()


@dataclass
class Context(Generic[S]):
    """What a process has made for its service; key files are read when first asked for, and SettingsError names one
    that is not set."""

    settings: S
    database: Database
    kafka: KafkaSettings
    clock: Clock = system_clock
    metrics: Metrics = field(default_factory=Metrics)
    consumer: ConsumerLoop | None = None

    @cached_property
    def seal(self) -> Seal:
        return Seal.from_file(self.settings.required_file("seal_key_file"))

    @cached_property
    def digests(self) -> IdentityDigests:
        return IdentityDigests.from_file(self.settings.required_file("identity_key_file"))

    @cached_property
    def publisher(self) -> KafkaPublisher:
        """Started and stopped by the process where the definition says that the service `publishes`."""
        return KafkaPublisher(self.kafka)


@dataclass(frozen=True, kw_only=True)
class ServiceDefinition(Generic[S]):
    """The parts of a service, each made from the process's context by the service's `__main__`; None = has none."""

    name: str
    settings: type[S]
    api: Callable[[Context[S]], Api] | None = None
    handlers: Callable[[Context[S]], Mapping[str, Handler[Any]]] | None = None
    outbox_source: Callable[[Context[S]], OutboxSource] | None = None
    topic_owner: Callable[[Context[S]], TopicOwner] | None = None
    jobs: Callable[[Context[S]], Sequence[Job]] | None = None
    publishes: bool = False
    loop_options: LoopOptions = field(default_factory=LoopOptions)
