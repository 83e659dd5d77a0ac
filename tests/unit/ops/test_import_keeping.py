"""What an import keeps beside the file: its place, and the rejects that belong to it."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.ingest.application.refusals import Fault
from services.ops.importing.bookmarks import Bookmarks
from services.ops.importing.found import Found, Place
from services.ops.importing.keeping import Keeping, Plan
from services.ops.importing.opening import Reading
from tests.support.checkouts import NOW

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An import of a file that acknowledges one reject and, unless it finishes, writes another and is killed."""

    def run(name: str, *, rejects: str | None = None, finished: bool) -> None:
        named = None if rejects is None else tmp_path / rejects
        plan = Plan(Reading("checkouts"), Bookmarks(tmp_path / "imports", "here"), named)
        file = tmp_path / name
        file.touch()
        with ExitStack() as held:
            keeping = Keeping(plan, file, lambda: NOW, held)
            if keeping.outcome.was_finished:
                return
            assert keeping.rejects is not None
            keeping.rejects.add(file, Found(1, Place(1, 1), b"{}"), [Fault("", "bad", "bad")])
            keeping.save(Place(1, 1), finished=finished)
            if not finished:
                keeping.rejects.add(file, Found(2, Place(2, 2), b"{}"), [Fault("", "bad", "bad")])

    return run


def lines(file: Path) -> int:
    return len(file.read_text().splitlines())


@pytest.mark.parametrize("finished", [True, False])
def test_going_on_with_one_file_takes_no_rejects_of_another_out_of_the_file_that_both_named(
    run: Run, tmp_path: Path, finished: bool
) -> None:
    run("a.ndjson", rejects="rejects.ndjson", finished=finished)
    run("b.ndjson", rejects="rejects.ndjson", finished=True)
    run("a.ndjson", rejects="rejects.ndjson", finished=True)
    entries = (tmp_path / "rejects.ndjson").read_text()
    assert entries.count("b.ndjson") == 1
    assert entries.count("a.ndjson") >= 1


def test_rejects_behind_the_last_acknowledgement_stand_once_in_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    run("a.ndjson", finished=False)
    run("a.ndjson", finished=True)
    (own,) = (tmp_path / "imports").glob("*.rejects.ndjson")
    assert lines(own) == 2
