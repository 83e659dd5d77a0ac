"""What the loop and the relay tell about themselves; telemetry stands behind these at the edge."""

from typing import Literal, Protocol

Outcome = Literal["handled", "dead_lettered", "parked", "transient", "not_ready", "fenced", "stopped"]
PartitionState = Literal["running", "waiting", "stopped"]


class LoopMetrics(Protocol):
    """Called by the consumer loop, per logical topic and partition; must not raise or block."""

    def lag(self, topic: str, partition: int, *, records: int, seconds: float) -> None: ...

    def batch(self, topic: str, *, records: int, seconds: float) -> None: ...

    def outcome(self, topic: str, outcome: Outcome, count: int = 1) -> None: ...

    def state(self, topic: str, partition: int, state: PartitionState) -> None: ...


class RelayMetrics(Protocol):
    """Called by the relay; age 0 means that the outbox is empty."""

    def outbox_age(self, *, seconds: float) -> None: ...

    def published(self, *, messages: int, seconds: float) -> None: ...

    def failed(self) -> None: ...


class NoMetrics:
    """Counts nothing: for tools and tests."""

    def lag(self, topic: str, partition: int, *, records: int, seconds: float) -> None:
        return

    def batch(self, topic: str, *, records: int, seconds: float) -> None:
        return

    def outcome(self, topic: str, outcome: Outcome, count: int = 1) -> None:
        return

    def state(self, topic: str, partition: int, state: PartitionState) -> None:
        return

    def outbox_age(self, *, seconds: float) -> None:
        return

    def published(self, *, messages: int, seconds: float) -> None:
        return

    def failed(self) -> None:
        return
