"""What one import of one file keeps: its bookmark, where it can have one, and its rejects."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from services.ops.importing.bookmarks import Bookmark, Bookmarks, begin, go_on
from services.ops.importing.columns import Subject
from services.ops.importing.found import BEGINNING, STANDARD_INPUT, Again, ImportMisused, Place
from services.ops.importing.opening import Reading
from services.ops.importing.outcome import Outcome
from services.ops.importing.rejects import Rejects
from services.runtime.ports import Clock


@dataclass(frozen=True)
class Plan:
    """`rejects` None = beside the bookmark; a rehearsal keeps no bookmark, and rejects only where a file is named."""

    reading: Reading
    bookmarks: Bookmarks
    rejects: Path | None = None
    rehearsal: bool = False
    again: Again = "auto"

    @property
    def subject(self) -> Subject:
        return self.reading.subject


class Keeping:
    """Raises ImportMisused where the file cannot be gone on with as the plan wants."""

    def __init__(self, plan: Plan, file: Path, clock: Clock, held: ExitStack) -> None:
        self._bookmarks = plan.bookmarks
        self._bookmark: Bookmark | None = None
        if not plan.rehearsal and file != STANDARD_INPUT:
            self._bookmark = _bookmark(plan, file, clock, held)
        elif plan.again == "resume":
            raise ImportMisused(f"{file}: there is nothing to resume for a rehearsal or standard input")
        self.rejects = self._open_rejects(plan, file)
        if self.rejects is not None:
            held.callback(self.rejects.close)
        self.outcome = Outcome(str(file), Counter(self._bookmark.counts if self._bookmark else {}))
        self.outcome.was_finished = self.outcome.finished = self._bookmark is not None and self._bookmark.finished
        self._tell_rejects()

    @property
    def place(self) -> Place:
        return self._bookmark.place if self._bookmark else BEGINNING

    def save(self, place: Place, *, finished: bool = False) -> None:
        """Called once what lies before the place is acknowledged."""
        self._tell_rejects()
        if self.rejects is not None:
            self.rejects.flush()
        if self._bookmark is None:
            return
        self._bookmark = self._bookmark.model_copy(
            update={
                "place": place,
                "counts": dict(self.outcome.counts),
                "rejects_bytes": self.rejects.length if self.rejects else 0,
                "finished": finished,
            }
        )
        self._bookmarks.save(self._bookmark)

    def _open_rejects(self, plan: Plan, file: Path) -> Rejects | None:
        if plan.rehearsal and plan.rejects is None:
            return None
        path = plan.rejects or plan.bookmarks.rejects_path(plan.subject, file)
        rejects = Rejects(path)
        if self._bookmark is not None:
            # To a file that was named others may have added behind this one: nothing is taken out of it.
            if plan.rejects is None:
                goes_on = self._bookmark.rejects == str(path) and self._bookmark.place != BEGINNING
                rejects.cut(self._bookmark.rejects_bytes if goes_on else 0)
            self._bookmark = self._bookmark.model_copy(update={"rejects": str(path)})
        return rejects

    def _tell_rejects(self) -> None:
        if self.rejects is not None and self.outcome.rejected:
            self.outcome.rejects = str(self.rejects.path)


def _bookmark(plan: Plan, file: Path, clock: Clock, held: ExitStack) -> Bookmark:
    held.enter_context(plan.bookmarks.only_one(plan.subject, file))
    fresh = begin(plan.subject, file, plan.reading.format_of(file), clock())
    kept = None if plan.again == "restart" else plan.bookmarks.load(plan.subject, file)
    if kept is not None:
        return go_on(kept, fresh)
    if plan.again == "resume":
        raise ImportMisused(f"{file} was not begun: leave --resume out")
    return fresh
