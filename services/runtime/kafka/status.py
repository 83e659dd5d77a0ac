"""What a consumer tells about itself to `/readyz` and `loyalty lag`."""

from dataclasses import dataclass

from services.runtime.kafka.metrics import PartitionState


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """`cause` says why it is not running; lag is None until the first answer from the broker."""

    topic: str
    partition: int
    state: PartitionState
    cause: str | None
    lag_records: int | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """`assigned` is False before the group has answered; an assignment may well be empty."""

    group: str
    assigned: bool
    partitions: tuple[PartitionStatus, ...]

    @property
    def stopped(self) -> tuple[PartitionStatus, ...]:
        return tuple(each for each in self.partitions if each.state == "stopped")
