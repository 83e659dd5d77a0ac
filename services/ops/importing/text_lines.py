"""A stream as lines of bytes, of which the place is known at any time."""

import os
import select
from io import BufferedReader, RawIOBase
from threading import Event
from typing import Any, Protocol

from services.ops.importing.found import Place

LOOK_SECONDS = 0.2


class Interrupted(Exception):
    """Somebody asked to stop while more input was waited for."""


class Stream(Protocol):
    def readline(self, size: int = -1, /) -> bytes: ...


class Lines:
    """Iterates lines with their ends; of one above `limit_bytes` the first bytes, one more than the limit."""

    def __init__(self, stream: Stream, limit_bytes: int, begin: Place) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self.place = begin

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes:
        line = self._stream.readline(self._limit_bytes + 1)
        if not line:
            raise StopIteration
        length = len(line)
        if length > self._limit_bytes and not line.endswith(b"\n"):
            length += self._pass_over()
        self.place = Place(self.place.offset + length, self.place.rows + 1)
        return line

    def _pass_over(self) -> int:
        length = 0
        while part := self._stream.readline(self._limit_bytes):
            length += len(part)
            if part.endswith(b"\n"):
                break
        return length


class PipeInput(RawIOBase):
    """A pipe or terminal whose reader can be stopped while nothing comes; raises Interrupted then."""

    def __init__(self, descriptor: int, stopped: Event) -> None:
        self._descriptor = descriptor
        self._stopped = stopped

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not select.select([self._descriptor], [], [], LOOK_SECONDS)[0]:
            if self._stopped.is_set():
                raise Interrupted
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        return len(data)


def buffered(descriptor: int, stopped: Event) -> BufferedReader:
    return BufferedReader(PipeInput(descriptor, stopped), 256 * 1024)
