"""A source cut into batches, each with the place behind it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Generic, TypeVar

from services.ingest.application.refusals import Unreadable
from services.ops.importing.found import Found, Place, Source
from services.ops.importing.targets import Refused, Target
from services.ops.importing.text_lines import Interrupted

BATCH_BYTES_MAX = 8 * 1024 * 1024

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """Records in the order of the file, each as the target wants it or refused on reading."""

    records: list[tuple[Found, P | Refused]]
    end: Place


class Batches(Generic[P]):
    """Asked for the next one in a thread, while the one before is on its way."""

    def __init__(self, source: Source, target: Target[P], begin: Place, stopped: Event) -> None:
        self._found: Iterator[Found] = source.records(begin)
        self._target = target
        self._stopped = stopped

    def next(self) -> Batch[P] | None:
        """None at the end, or once the import was stopped."""
        if self._stopped.is_set():
            return None
        records: list[tuple[Found, P | Refused]] = []
        length = 0
        # What came before an interruption is delivered: a pipe does not give it again.
        with suppress(Interrupted):
            for found in self._found:
                records.append((found, self._read(found)))
                length += len(found.body)
                if len(records) >= self._target.batch_records or length > BATCH_BYTES_MAX:
                    break
        return Batch(records, records[-1][0].end) if records else None

    def _read(self, found: Found) -> P | Refused:
        if found.faults:
            return Refused(found.faults)
        try:
            return self._target.read(found.body)
        except Unreadable as refusal:
            return Refused(refusal.faults)
