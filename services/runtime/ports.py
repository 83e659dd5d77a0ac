"""Words shared by every service and the runtime; nothing here needs more than the standard library."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

Clock = Callable[[], datetime]
"""Answers the present as an aware datetime in UTC."""


class SourcePosition(NamedTuple):
    """Where a record stands in Kafka; the topic is the logical name, without the deployment's prefix."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple, Generic[T]):
    """One Kafka record; `value` is bytes (None = tombstone) before decoding and the decoded message after.

    `appended_at` is the record's Kafka timestamp: append time on LogAppendTime topics, else the producer's.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    headers: Mapping[str, str]
    appended_at: datetime
    value: T

    @property
    def position(self) -> SourcePosition:
        return SourcePosition(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A pointer to a stored fact that the relay will publish; `ref` means something to the service only."""

    topic: str
    key: str
    ref: str


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to Kafka; `value` None is a tombstone of the key."""

    topic: str
    key: str
    value: bytes | None
    headers: Mapping[str, str]


class Seal(Protocol):
    """Encrypts what may hold personal data; `context` must be given again, unchanged, to open it."""

    def seal(self, data: bytes, context: bytes) -> bytes: ...

    def open(self, sealed: bytes, context: bytes) -> bytes: ...
