"""One import: every file read, delivered in batches, and remembered after each acknowledgement."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Generic, Protocol, TypeVar

from services.ingest.application.refusals import Fault
from services.ops.importing.batches import Batch, Batches
from services.ops.importing.found import STANDARD_INPUT, Found, ImportMisused
from services.ops.importing.keeping import Keeping, Plan
from services.ops.importing.opening import open_source
from services.ops.importing.outcome import REJECTED, Outcome
from services.ops.importing.targets import Answer, Refused, Target
from services.runtime.errors import Transient
from services.runtime.ports import Clock

PATIENCE_SECONDS = 60.0
PAUSE_FIRST_SECONDS, PAUSE_MAX_SECONDS = 0.5, 8.0
HOPELESS_RECORDS = 1_000
"""So many rejects with nothing taken: another file or another format was meant."""

P = TypeVar("P")


class Display(Protocol):
    def progress(self, outcome: Outcome, share: float) -> None: ...

    def reject(self, file: Path, found: Found, faults: Sequence[Fault]) -> None: ...

    def note(self, line: str) -> None: ...


class Import(Generic[P]):
    """`outcomes` has one entry per file begun, filled in as it goes on."""

    def __init__(self, plan: Plan, target: Target[P], display: Display, clock: Clock) -> None:
        self.outcomes: list[Outcome] = []
        self._plan = plan
        self._target = target
        self._display = display
        self._clock = clock
        self._stop = asyncio.Event()
        self._stopped_reading = Event()

    def stop(self) -> None:
        """Ends behind what was read already."""
        self._stop.set()
        self._stopped_reading.set()

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    async def run(self, files: Sequence[Path]) -> None:
        """Raises ImportMisused where it cannot begin or has no hope, Transient where the other side stays away."""
        for file in files:
            self._check(file)
        async with self._target:
            for file in files:
                if not self.is_stopped:
                    await self._one(file)

    def _check(self, file: Path) -> None:
        """A file that cannot be opened, or whose header does not fit, is told before anything is sent."""
        if file != STANDARD_INPUT:
            with _readable(file), open_source(file, self._plan.reading, self._stopped_reading) as source:
                if source.ignored:
                    self._display.note(f"{file}: columns that mean nothing here: {', '.join(source.ignored)}")

    async def _one(self, file: Path) -> None:
        with ExitStack() as held:
            with _readable(file):
                keeping = Keeping(self._plan, file, self._clock, held)
                source = held.enter_context(open_source(file, self._plan.reading, self._stopped_reading))
            self.outcomes.append(keeping.outcome)
            if keeping.outcome.was_finished:
                self._display.note(f"{file} is in already; --restart imports it again, and changes nothing")
                return
            if keeping.place.rows:
                self._display.note(f"{file}: going on behind row {keeping.place.rows:,}")
            await self._through(
                file, Batches(source, self._target, keeping.place, self._stopped_reading), keeping, source.share
            )

    async def _through(self, file: Path, batches: Batches[P], keeping: Keeping, share: Callable[..., float]) -> None:
        outcome, place = keeping.outcome, keeping.place
        batch = await asyncio.to_thread(batches.next)
        while batch is not None:
            place, (answered, following) = batch.end, await self._deliver_and_read(batch, batches)
            self._count(file, answered, keeping)
            keeping.save(place)
            self._display.progress(outcome, share(place))
            _check_hope(file, outcome)
            batch = following
        outcome.finished = not self.is_stopped
        keeping.save(place, finished=outcome.finished)

    async def _deliver_and_read(
        self, batch: Batch[P], batches: Batches[P]
    ) -> tuple[list[tuple[Found, Answer]], Batch[P] | None]:
        """The next batch is read while this one is on its way."""
        reading = asyncio.ensure_future(asyncio.to_thread(batches.next))
        try:
            answered = await self._delivered(batch)
        except BaseException:
            self._stopped_reading.set()
            raise
        finally:
            # A thread cannot be left behind: the file is closed next.
            await asyncio.wait([reading])
        return answered, reading.result()

    async def _delivered(self, batch: Batch[P]) -> list[tuple[Found, Answer]]:
        fit = [record for _, record in batch.records if not isinstance(record, Refused)]
        answers = iter(await self._patiently(fit) if fit else ())
        return [(found, record if isinstance(record, Refused) else next(answers)) for found, record in batch.records]

    async def _patiently(self, fit: Sequence[P]) -> Sequence[Answer]:
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, PAUSE_FIRST_SECONDS
        while True:
            try:
                return await self._target.deliver(fit)
            except Transient as trouble:
                if self.is_stopped or time.monotonic() > deadline:
                    raise
                self._display.note(f"{trouble}: trying again")
            await self._pause(pause)
            pause = min(pause * 2, PAUSE_MAX_SECONDS)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    def _count(self, file: Path, answered: Sequence[tuple[Found, Answer]], keeping: Keeping) -> None:
        keeping.outcome.records_now += len(answered)
        for found, answer in answered:
            if isinstance(answer, str):
                keeping.outcome.counts[answer] += 1
                continue
            keeping.outcome.counts[REJECTED] += 1
            self._display.reject(file, found, answer.faults)
            if keeping.rejects is not None:
                keeping.rejects.add(file, found, answer.faults)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ImportMisused(f"{error.filename or file} cannot be used: {error.strerror}") from None


def _check_hope(file: Path, outcome: Outcome) -> None:
    if outcome.rejected >= HOPELESS_RECORDS and outcome.rejected == sum(outcome.counts.values()):
        raise ImportMisused(
            f"none of the first {outcome.rejected:,} records of {file} is fit: is it another format, or does a --map"
            " lack a column? --restart begins anew"
        )
