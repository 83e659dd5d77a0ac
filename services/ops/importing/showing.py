"""What a person sees of an import: a bar, the first rejects, and what it came to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.ingest.application.refusals import Fault
from services.ops.importing.found import Found
from services.ops.importing.outcome import REJECTED, Ended, Outcome

REJECTS_SHOWN = 10
FAULTS_SHOWN = 3
STEPS = 10_000


class ConsoleDisplay:
    """Records, rate, share and time left on standard error."""

    def __init__(self, console: Console, progress: Progress, files: int) -> None:
        self._console = console
        self._progress = progress
        self._files = files
        self._counts: dict[str, Outcome] = {}
        self._rejects = 0
        self._task = progress.add_task("", total=STEPS * files, told="")

    def progress(self, outcome: Outcome, share: float) -> None:
        self._counts[outcome.file] = outcome
        before = len(self._counts) - 1
        records = sum(each.records_now for each in self._counts.values())
        rejected = sum(each.rejected for each in self._counts.values())
        elapsed = self._progress.tasks[0].elapsed or 0.0
        rate = f", {records / elapsed:,.0f}/s" if elapsed > 0.5 else ""
        told = f"{records:,} records{rate}" + (f", [red]{rejected:,} rejected[/]" if rejected else "")
        self._progress.update(self._task, completed=int(STEPS * (before + share)), told=told)

    def reject(self, file: Path, found: Found, faults: Sequence[Fault]) -> None:
        self._rejects += 1
        if self._rejects > REJECTS_SHOWN:
            return
        for fault in faults[:FAULTS_SHOWN]:
            at = f" at {fault.pointer}" if fault.pointer else ""
            self._say(f"{file}:{found.row}: {fault.code}{at}: {fault.detail}")
        if self._rejects == REJECTS_SHOWN:
            self._say("… further rejects are counted, and written to the rejects file")

    def note(self, line: str) -> None:
        self._say(line)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def display(files: int, *, quiet: bool) -> Iterator[ConsoleDisplay]:
    """`quiet` leaves the bar out; rejects and notes are told in any case."""
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, disable=quiet) as progress:
        yield ConsoleDisplay(console, progress, files)


def as_document(subject: str, ended: Ended, *, dry_run: bool) -> dict[str, Any]:
    """The answer of `--json`."""
    files = [
        {"file": each.file, "counts": dict(each.counts), "finished": each.finished, "rejects": each.rejects}
        for each in ended.outcomes
    ]
    return {
        "subject": subject,
        "dry_run": dry_run,
        "files": files,
        "counts": dict(ended.counts),
        "unknown_fields": ended.unknown_fields,
        "records_now": ended.records_now,
        "seconds": round(ended.seconds, 3),
        "per_second": ended.per_second,
        "interrupted": ended.interrupted,
        "trouble": ended.trouble or None,
    }


def summary(ended: Ended) -> Iterator[str]:
    counts = sorted(ended.counts.items(), key=lambda each: each[0] == REJECTED)
    counted = ", ".join(f"{count:,} {word}" for word, count in counts) or "nothing"
    yield f"{counted}; {ended.records_now:,} records in {ended.seconds:.1f} s, {ended.per_second:,}/s"
    if ended.unknown_fields:
        yield f"{ended.unknown_fields:,} fields that the contract does not know were left out"
    for each in ended.outcomes:
        if each.rejects:
            yield f"rejected records of {each.file}, with their reasons: {each.rejects} (holds personal data)"
