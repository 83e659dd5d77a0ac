from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

METRICS_MEDIA_TYPE = CONTENT_TYPE_LATEST

MetricName = Literal[
    # Gauge: records between the checkpoint and the end of the partition.
    "loyalty_consumer_lag_records",
    # Gauge: age in seconds of the oldest record that is not yet applied; 0 when caught up.
    "loyalty_consumer_lag_seconds",
    # Histogram: records per committed batch.
    "loyalty_consumer_batch_records",
    # Histogram: seconds from the batch's begin to its commit.
    "loyalty_consumer_batch_seconds",
    # Counter: what became of records (handled, dead_lettered …) and of batches (transient, fenced …).
    "loyalty_consumer_outcomes_total",
    # Gauge: 1 while the partition is stopped by a record that it cannot apply.
    "loyalty_consumer_partition_stopped",
    # Gauge: dead letters that nobody has decided about.
    "loyalty_consumer_dead_letters_open",
    # Gauge: keys whose records are set aside by hand until they are redriven.
    "loyalty_consumer_parked_keys",
    # Gauge: age in seconds of the oldest row of the outbox; it is the recovery point of a lost database.
    "loyalty_outbox_age_seconds",
    # Counter: messages that the relay has committed to the broker.
    "loyalty_relay_messages_total",
    # Histogram: seconds from reading outbox rows to deleting them.
    "loyalty_relay_batch_seconds",
    # Counter: relay batches that failed and were begun again.
    "loyalty_relay_failures_total",
    # Counter: requests answered, by method, route template and status.
    "loyalty_http_requests_total",
    # Histogram: seconds to the end of the answer, by method and route template.
    "loyalty_http_request_seconds",
    # Counter: what a service decided, by a name of its own (accepted, refused, sent …).
    "loyalty_outcomes_total",
    # Counter: work done by a job.
    "loyalty_job_items_total",
    # Counter: job runs that failed and are tried again.
    "loyalty_job_failures_total",
    # Gauge: 1 while the service refuses to work, because a check at start found it unsafe.
    "loyalty_halted",
]

Kind = Literal["counter", "gauge", "histogram"]
_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_RECORDS = (1.0, 10.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric is called in dashboards, by which labels it is split, and (histograms) where its buckets end."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _SECONDS


_PARTITION = ("topic", "partition")
DEFINITIONS: Mapping[MetricName, Definition] = MappingProxyType(
    {
        "loyalty_consumer_lag_records": Definition("gauge", "Records not yet applied", _PARTITION),
        "loyalty_consumer_lag_seconds": Definition("gauge", "Age of the oldest record not yet applied", _PARTITION),
        "loyalty_consumer_batch_records": Definition("histogram", "Records per batch", ("topic",), _RECORDS),
        "loyalty_consumer_batch_seconds": Definition("histogram", "Seconds per batch", ("topic",)),
        "loyalty_consumer_outcomes_total": Definition("counter", "What became of records", ("topic", "outcome")),
        "loyalty_consumer_partition_stopped": Definition("gauge", "Partition stopped by a record", _PARTITION),
        "loyalty_consumer_dead_letters_open": Definition("gauge", "Dead letters not decided about", ("topic",)),
        "loyalty_consumer_parked_keys": Definition("gauge", "Keys parked by hand", ("topic",)),
        "loyalty_outbox_age_seconds": Definition("gauge", "Age of the oldest outbox row", ("shard",)),
        "loyalty_relay_messages_total": Definition("counter", "Messages published", ("shard",)),
        "loyalty_relay_batch_seconds": Definition("histogram", "Seconds per relay batch", ("shard",)),
        "loyalty_relay_failures_total": Definition("counter", "Relay batches that failed", ("shard",)),
        "loyalty_http_requests_total": Definition("counter", "Requests answered", ("method", "route", "status")),
        "loyalty_http_request_seconds": Definition("histogram", "Seconds per request", ("method", "route")),
        "loyalty_outcomes_total": Definition("counter", "Decisions by outcome", ("operation", "outcome")),
        "loyalty_job_items_total": Definition("counter", "Items done by jobs", ("job",)),
        "loyalty_job_failures_total": Definition("counter", "Job runs that failed", ("job",)),
        "loyalty_halted": Definition("gauge", "Halted by a check at start"),
    }
)
assert set(DEFINITIONS) == set(get_args(MetricName))


class Metrics:
    """The metrics of one process in a registry of its own; a label that a metric does not declare is a ValueError."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._counters = {name: self._counter(name, it) for name, it in DEFINITIONS.items() if it.kind == "counter"}
        self._gauges = {name: self._gauge(name, it) for name, it in DEFINITIONS.items() if it.kind == "gauge"}
        self._histograms = {
            name: self._histogram(name, it) for name, it in DEFINITIONS.items() if it.kind == "histogram"
        }

    def add(self, name: MetricName, amount: float = 1, **labels: str) -> None:
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: MetricName, value: float, **labels: str) -> None:
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def observe(self, name: MetricName, value: float, **labels: str) -> None:
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def outcome(self, operation: str, outcome: str, amount: int = 1) -> None:
        self.add("loyalty_outcomes_total", amount, operation=operation, outcome=outcome)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def _counter(self, name: str, definition: Definition) -> Counter:
        return Counter(name, definition.help, definition.labels, registry=self.registry)

    def _gauge(self, name: str, definition: Definition) -> Gauge:
        return Gauge(name, definition.help, definition.labels, registry=self.registry)

    def _histogram(self, name: str, definition: Definition) -> Histogram:
        return Histogram(
            name,
            definition.help,
            definition.labels,
            buckets=definition.buckets,
            registry=self.registry,
        )
