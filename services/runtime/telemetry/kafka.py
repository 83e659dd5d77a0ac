from services.runtime.kafka.metrics import Outcome, PartitionState
from services.runtime.telemetry.metrics import Metrics


class LoopTelemetry:
    """The consumer loop's metrics, per logical topic and partition."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def lag(self, topic: str, partition: int, *, records: int, seconds: float) -> None:
        self._metrics.set(
            "loyalty_consumer_lag_records",
            records,
            topic=topic,
            partition=str(partition),
        )
        self._metrics.set(
            "loyalty_consumer_lag_seconds",
            seconds,
            topic=topic,
            partition=str(partition),
        )

    def batch(self, topic: str, *, records: int, seconds: float) -> None:
        self._metrics.observe("loyalty_consumer_batch_records", records, topic=topic)
        self._metrics.observe("loyalty_consumer_batch_seconds", seconds, topic=topic)

    def outcome(self, topic: str, outcome: Outcome, count: int = 1) -> None:
        self._metrics.add("loyalty_consumer_outcomes_total", count, topic=topic, outcome=outcome)

    def state(self, topic: str, partition: int, state: PartitionState) -> None:
        stopped = 1 if state == "stopped" else 0
        self._metrics.set(
            "loyalty_consumer_partition_stopped",
            stopped,
            topic=topic,
            partition=str(partition),
        )


class RelayTelemetry:
    """The metrics of one relay shard."""

    def __init__(self, metrics: Metrics, shard: int = 0) -> None:
        self._metrics = metrics
        self._shard = str(shard)

    def outbox_age(self, *, seconds: float) -> None:
        self._metrics.set("loyalty_outbox_age_seconds", seconds, shard=self._shard)

    def published(self, *, messages: int, seconds: float) -> None:
        self._metrics.add("loyalty_relay_messages_total", messages, shard=self._shard)
        self._metrics.observe("loyalty_relay_batch_seconds", seconds, shard=self._shard)

    def failed(self) -> None:
        self._metrics.add("loyalty_relay_failures_total", shard=self._shard)
