from typing import get_args

import pytest

from services.runtime.telemetry.heartbeat import DELAY_LIMIT_SECONDS, Heartbeat
from services.runtime.telemetry.kafka import LoopTelemetry, RelayTelemetry
from services.runtime.telemetry.metrics import DEFINITIONS, MetricName, Metrics


def exposed(metrics: Metrics) -> str:
    return metrics.exposition().decode()


def test_every_name_is_defined_and_every_definition_named() -> None:
    assert set(DEFINITIONS) == set(get_args(MetricName))


def test_a_counter_ends_in_total_and_seconds_and_records_stand_last() -> None:
    for name, definition in DEFINITIONS.items():
        assert name.endswith("_total") == (definition.kind == "counter")
        assert definition.kind != "histogram" or name.endswith(("_seconds", "_records"))


def test_each_process_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.outcome("redeem", "refused")
    assert 'loyalty_outcomes_total{operation="redeem",outcome="refused"} 1.0' in exposed(one)
    assert "refused" not in exposed(other)


def test_a_label_that_is_not_declared_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics().add("loyalty_job_items_total", member="m")


def test_the_loop_tells_lag_batches_and_stopped_partitions() -> None:
    metrics = Metrics()
    loop = LoopTelemetry(metrics)
    loop.lag("purchases", 3, records=40, seconds=1.5)
    loop.batch("purchases", records=200, seconds=0.02)
    loop.outcome("purchases", "handled", 200)
    loop.state("purchases", 3, "stopped")
    text = exposed(metrics)
    assert 'loyalty_consumer_lag_records{partition="3",topic="purchases"} 40.0' in text
    assert 'loyalty_consumer_lag_seconds{partition="3",topic="purchases"} 1.5' in text
    assert 'loyalty_consumer_batch_records_count{topic="purchases"} 1.0' in text
    assert 'loyalty_consumer_outcomes_total{outcome="handled",topic="purchases"} 200.0' in text
    assert 'loyalty_consumer_partition_stopped{partition="3",topic="purchases"} 1.0' in text
    loop.state("purchases", 3, "running")
    assert 'loyalty_consumer_partition_stopped{partition="3",topic="purchases"} 0.0' in exposed(metrics)


def test_the_relay_tells_the_age_of_its_outbox() -> None:
    metrics = Metrics()
    relay = RelayTelemetry(metrics, shard=1)
    relay.outbox_age(seconds=2.0)
    relay.failed()
    text = exposed(metrics)
    assert 'loyalty_outbox_age_seconds{shard="1"} 2.0' in text
    assert 'loyalty_relay_failures_total{shard="1"} 1.0' in text


async def test_a_loop_that_has_not_begun_to_beat_is_alive() -> None:
    assert Heartbeat().alive


async def test_a_loop_whose_beat_is_overdue_is_not_alive() -> None:
    heartbeat = Heartbeat()
    heartbeat._beaten_at = -2 * DELAY_LIMIT_SECONDS
    assert not heartbeat.alive
    assert heartbeat.delay_seconds > DELAY_LIMIT_SECONDS
