"""The limits of a consumer loop, each with a name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """A batch takes up to `batch_records_max`; with `batch_records_min`, or after `batch_wait_seconds`, it closes."""

    batch_records_max: int = 500
    batch_records_min: int = 200
    batch_wait_seconds: float = 0.05
    idle_poll_seconds: float = 0.5
    session_timeout_ms: int = 30_000
    heartbeat_interval_ms: int = 3_000
    # A record list is decoded in slices this long, so that heartbeats keep their beat.
    slice_seconds: float = 0.02
    caught_up_interval_seconds: float = 30.0
    not_ready_pause_seconds: float = 1.0
    backoff_seconds_min: float = 0.1
    backoff_seconds_max: float = 10.0
    fenced_pause_seconds_min: float = 1.0
    fenced_pause_seconds_max: float = 30.0
    unreadable_keys_max: int = 20
    stopped_lag_interval_seconds: float = 10.0
    stop_grace_seconds: float = 15.0
