"""What a starting stack tells whoever waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """`step` brackets work that takes seconds; `note` and `problem` are single lines."""

    def step_begins(self, what: str) -> None: ...
    def step_ends(self, what: str) -> None: ...
    def note(self, line: str) -> None: ...
    def problem(self, source: str, line: str) -> None: ...


class Silent:
    """For tests and for commands that show something of their own."""

    def step_begins(self, what: str) -> None:
        """Nothing to show."""

    def step_ends(self, what: str) -> None:
        """Nothing to show."""

    def note(self, line: str) -> None:
        """Nothing to show."""

    def problem(self, source: str, line: str) -> None:
        """Nothing to show."""


@contextmanager
def step(progress: Progress, what: str) -> Iterator[None]:
    progress.step_begins(what)
    yield
    progress.step_ends(what)
