import asyncio
import os
import signal
from pathlib import Path

import pytest

from services.runtime.errors import HaltError, NotReady
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.status import ConsumerStatus, PartitionStatus
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process import Api, Context, Job, ServiceDefinition, main, system_clock
from services.runtime.process.consumption import consumption
from services.runtime.process.guard import RELEASE_AFTER_RECHECKS, StartGuard
from services.runtime.process.jobs import RUNS_IN_A_ROW, JobRunner
from services.runtime.process.signals import stop_on_signals
from services.runtime.process.waiting import BACKOFF_SECONDS_MAX, backoff_seconds, stopped_within
from services.runtime.seal import Seal
from services.runtime.settings import ServiceSettings, SettingsError
from services.runtime.telemetry.metrics import Metrics

NEVER = 3_600.0
HALT = HaltError("the position is out of range", "checkpoints move")


class Work:
    """A job that has so much to do, and asks to stop after so many runs."""

    def __init__(self, stop: asyncio.Event, *, amount: int, runs: int = 0) -> None:
        self._stop = stop
        self._amount = amount
        self._runs_wanted = runs
        self.runs = 0

    async def __call__(self) -> int:
        self.runs += 1
        if self.runs == self._runs_wanted:
            self._stop.set()
        done = min(1, self._amount)
        self._amount -= done
        return done


async def test_a_job_runs_again_at_once_while_there_is_something_to_do() -> None:
    stop, metrics = asyncio.Event(), Metrics()
    work = Work(stop, amount=5, runs=6)
    await JobRunner([Job("settle", NEVER, work)], metrics).run(stop)
    assert work.runs == 6
    assert 'loyalty_job_items_total{job="settle"} 5.0' in metrics.exposition().decode()


async def test_a_job_that_always_finds_something_pauses_after_its_runs_in_a_row() -> None:
    stop = asyncio.Event()
    work = Work(stop, amount=10 * RUNS_IN_A_ROW, runs=RUNS_IN_A_ROW + 1)
    await JobRunner([Job("settle", 0.001, work)], Metrics()).run(stop)
    assert work.runs == RUNS_IN_A_ROW + 1


async def test_a_failing_job_says_so_and_leaves_the_others_running() -> None:
    stop = asyncio.Event()

    async def broken() -> int:
        raise ValueError("li@example.com")

    work = Work(stop, amount=0, runs=3)
    runner = JobRunner([Job("broken", NEVER, broken), Job("settle", 0.001, work)], Metrics())
    await runner.run(stop)
    check = await runner.check()
    assert (check.ok, check.detail, work.runs) == (False, "broken: ValueError", 3)


async def test_a_job_that_works_again_is_no_longer_failing() -> None:
    stop, failures = asyncio.Event(), [RuntimeError()]

    async def recovering() -> int:
        if failures:
            raise failures.pop()
        stop.set()
        return 0

    runner = JobRunner([Job("settle", 0.001, recovering)], Metrics())
    await runner.run(stop)
    assert (await runner.check()).ok


async def test_a_job_that_waits_says_what_for_and_the_process_stays_ready() -> None:
    stop, metrics = asyncio.Event(), Metrics()

    async def waiting() -> int:
        stop.set()
        raise NotReady("partition 3 is behind")

    runner = JobRunner([Job("close", NEVER, waiting)], metrics)
    await runner.run(stop)
    check = await runner.check()
    assert (check.ok, check.detail) == (True, "close waits: partition 3 is behind")
    assert 'loyalty_job_failures_total{job="close"}' not in metrics.exposition().decode()


async def test_a_job_that_waited_and_works_says_nothing_more() -> None:
    stop, reasons = asyncio.Event(), ["partition 3 is behind"]

    async def waiting_once() -> int:
        if reasons:
            raise NotReady(reasons.pop())
        stop.set()
        return 0

    runner = JobRunner([Job("close", 0.001, waiting_once)], Metrics())
    await runner.run(stop)
    assert (await runner.check()).detail == ""


async def test_without_jobs_there_is_nothing_to_wait_for() -> None:
    runner = JobRunner([], Metrics())
    await runner.run(asyncio.Event())
    assert (await runner.check()).ok


def partition(number: int, state: str, cause: str | None = None) -> PartitionStatus:
    assert state in ("running", "waiting", "stopped")
    return PartitionStatus("purchases", number, state, cause, 0, 0.0)  # type: ignore[arg-type]


def test_a_consumer_is_not_ready_before_the_group_has_answered() -> None:
    assert not consumption(None).ok
    assert not consumption(ConsumerStatus("ledger", False, ())).ok


def test_a_consumer_without_a_partition_of_its_own_is_ready() -> None:
    assert consumption(ConsumerStatus("ledger", True, ())).ok


def test_a_waiting_partition_is_told_and_is_no_failure() -> None:
    check = consumption(ConsumerStatus("ledger", True, (partition(0, "waiting", "no programme is known"),)))
    assert check.ok
    assert check.document()["partitions"][0]["cause"] == "no programme is known"


def test_a_stopped_partition_makes_the_process_unready_with_its_cause() -> None:
    both = (partition(0, "running"), partition(1, "stopped", "AssertionError: gap"))
    check = consumption(ConsumerStatus("ledger", True, both))
    assert (check.ok, check.detail) == (False, "purchases/1 is stopped: AssertionError: gap")


@pytest.fixture
def database() -> Database:
    """Never connected to."""
    return Database(create_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none", role=None, schema="ledger"))


def guard_of(database: Database, readiness: Readiness, recheck_seconds: float) -> StartGuard:
    return StartGuard(
        service="ledger",
        database=database,
        kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
        owner=None,
        readiness=readiness,
        metrics=Metrics(),
        recheck_seconds=recheck_seconds,
    )


async def test_the_gate_is_shut_from_the_beginning(database: Database) -> None:
    readiness = Readiness()
    guard_of(database, readiness, NEVER)
    assert readiness.gate.detail == "starting"


async def test_a_role_that_halts_again_at_once_does_not_open_the_gate(database: Database) -> None:
    readiness = Readiness()
    guard = guard_of(database, readiness, NEVER)
    guard.hold("consume", HALT)
    async with guard.released_later("consume"):
        assert readiness.gate.remedy == HALT.remedy
    assert not readiness.gate.ok


async def test_a_held_role_that_keeps_running_opens_the_gate_again(database: Database) -> None:
    readiness = Readiness()
    guard = guard_of(database, readiness, 0.001)
    guard.hold("consume", HALT)
    async with guard.released_later("consume"), asyncio.timeout(5):
        while not readiness.gate.ok:
            await asyncio.sleep(0.001 * RELEASE_AFTER_RECHECKS)


async def test_the_gate_stays_shut_while_another_role_is_held(database: Database) -> None:
    readiness = Readiness()
    guard = guard_of(database, readiness, 0.0)
    guard.hold("consume", HALT)
    guard.hold("relay", HaltError("another", "do that"))
    async with guard.released_later("consume"):
        await asyncio.sleep(0.01)
    assert not readiness.gate.ok


async def test_a_guard_that_is_to_stop_does_not_pass(database: Database) -> None:
    stop = asyncio.Event()
    stop.set()
    assert not await guard_of(database, Readiness(), NEVER).passed(stop)


async def test_the_first_signal_asks_to_stop_and_the_second_ends_the_process() -> None:
    stop, ends = asyncio.Event(), list[int]()
    with stop_on_signals(stop, hard_exit=ends.append):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
        assert ends == []
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            while not ends:
                await asyncio.sleep(0.001)
    assert ends == [1]


async def test_who_does_not_stop_in_time_is_ended() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    with stop_on_signals(stop, hard_exit=lambda _code: loop.call_soon_threadsafe(ended.set), seconds=0.01):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_pause_ends_with_the_wish_to_stop() -> None:
    stop = asyncio.Event()
    assert not await stopped_within(stop, 0.001)
    stop.set()
    assert await stopped_within(stop, NEVER)


def test_pauses_grow_up_to_a_limit() -> None:
    assert backoff_seconds(0) < 1
    assert all(backoff_seconds(attempt) <= BACKOFF_SECONDS_MAX for attempt in range(2_000))


def test_the_clock_tells_an_aware_time_in_utc() -> None:
    offset = system_clock().utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0


def test_a_key_file_is_asked_for_when_it_is_needed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOYALTY_SEAL_KEY_FILE", "LOYALTY_IDENTITY_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    settings = ServiceSettings.load("ledger")
    context = Context(settings=settings, database=database, kafka=settings.kafka_settings())
    with pytest.raises(SettingsError, match="LOYALTY_SEAL_KEY_FILE"):
        _ = context.seal
    with pytest.raises(SettingsError, match="LOYALTY_IDENTITY_KEY_FILE"):
        _ = context.digests


DEFINITION = ServiceDefinition(name="ledger", settings=ServiceSettings)


def test_an_unknown_role_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(DEFINITION, ["dance"])
    assert ended.value.code == 2
    assert "dance is none of api, consume, relay, jobs, migrate" in capsys.readouterr().err


def test_settings_that_cannot_be_read_are_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOYALTY_POOL_SIZE", "none")
    with pytest.raises(SystemExit) as ended:
        main(DEFINITION, ["api"])
    assert ended.value.code == 2
    assert "LOYALTY_POOL_SIZE" in capsys.readouterr().err


def test_a_missing_key_file_ends_the_process_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.key"
    monkeypatch.setenv("LOYALTY_SEAL_KEY_FILE", str(missing))
    with pytest.raises(SystemExit) as ended:
        main(
            ServiceDefinition(name="ledger", settings=ServiceSettings, api=lambda context: _needs(context.seal)),
            ["api"],
        )
    assert ended.value.code == 2
    assert str(missing) in capsys.readouterr().err


def _needs(_seal: Seal) -> Api:
    return Api(routers=())
