import asyncio
from collections.abc import Sequence

from services.runtime.errors import NotReady
from services.runtime.http.readiness import Check
from services.runtime.process.definition import Job
from services.runtime.process.waiting import backoff_seconds, stopped_within
from services.runtime.telemetry.log import describe, logger
from services.runtime.telemetry.metrics import Metrics

RUNS_IN_A_ROW = 1_000
_log = logger(__name__)


class JobRunner:
    """Runs each job in a task of its own; one that fails or waits is told on /readyz and tried again, and stops
    nothing else. Only a failure makes the process not ready."""

    def __init__(self, jobs: Sequence[Job], metrics: Metrics) -> None:
        self._jobs = jobs
        self._metrics = metrics
        self._failing: dict[str, str] = {}
        self._waiting: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            for job in self._jobs:
                tasks.create_task(self._repeat(job, stop), name=f"job {job.name}")

    async def check(self) -> Check:
        failing = [f"{name}: {cause}" for name, cause in sorted(self._failing.items())]
        waiting = [f"{name} waits: {cause}" for name, cause in sorted(self._waiting.items())]
        return Check(ok=not failing, detail="; ".join(failing + waiting))

    async def _repeat(self, job: Job, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self._until_idle(job, stop)
            except NotReady as wait:
                self._waits(job, wait.reason)
                pause, failures = job.every_seconds, 0
            except Exception as error:
                self._failed(job, error)
                pause = max(job.every_seconds, backoff_seconds(failures))
                failures += 1
            else:
                self._failing.pop(job.name, None)
                self._waiting.pop(job.name, None)
                pause, failures = job.every_seconds, 0
            await stopped_within(stop, pause)

    async def _until_idle(self, job: Job, stop: asyncio.Event) -> None:
        for _ in range(RUNS_IN_A_ROW):
            done = await job.run()
            self._metrics.add("loyalty_job_items_total", done, job=job.name)
            if done == 0 or stop.is_set():
                return

    def _waits(self, job: Job, reason: str) -> None:
        if self._waiting.get(job.name) != reason:
            _log.info("job_waits", job=job.name, detail=reason)
        self._failing.pop(job.name, None)
        self._waiting[job.name] = reason

    def _failed(self, job: Job, error: Exception) -> None:
        self._failing[job.name] = describe(error)
        self._waiting.pop(job.name, None)
        self._metrics.add("loyalty_job_failures_total", job=job.name)
        _log.error("job_failed", job=job.name, exc_info=error)
