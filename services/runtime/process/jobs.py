import asyncio
from collections.abc import Sequence

from services.runtime.http.readiness import Check
from services.runtime.process.definition import Job
from services.runtime.process.waiting import backoff_seconds, stopped_within
from services.runtime.telemetry.log import describe, logger
from services.runtime.telemetry.metrics import Metrics

RUNS_IN_A_ROW = 1_000
_log = logger(__name__)


class JobRunner:
    """Runs each job in a task of its own; one that fails is told on /readyz and tried again, and stops nothing else."""

    def __init__(self, jobs: Sequence[Job], metrics: Metrics) -> None:
        self._jobs = jobs
        self._metrics = metrics
        self._failing: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            for job in self._jobs:
                tasks.create_task(self._repeat(job, stop), name=f"job {job.name}")

    async def check(self) -> Check:
        detail = "; ".join(f"{name}: {cause}" for name, cause in sorted(self._failing.items()))
        return Check(ok=not self._failing, detail=detail)

    async def _repeat(self, job: Job, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                await self._until_idle(job, stop)
            except Exception as error:
                self._failed(job, error)
                pause = max(job.every_seconds, backoff_seconds(failures))
                failures += 1
            else:
                self._failing.pop(job.name, None)
                pause, failures = job.every_seconds, 0
            await stopped_within(stop, pause)

    async def _until_idle(self, job: Job, stop: asyncio.Event) -> None:
        for _ in range(RUNS_IN_A_ROW):
            done = await job.run()
            self._metrics.add("loyalty_job_items_total", done, job=job.name)
            if done == 0 or stop.is_set():
                return

    def _failed(self, job: Job, error: Exception) -> None:
        self._failing[job.name] = describe(error)
        self._metrics.add("loyalty_job_failures_total", job=job.name)
        _log.error("job_failed", job=job.name, exc_info=error)
