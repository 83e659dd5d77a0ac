"""The tutorial does what it says, on a running stack."""

import sys
from pathlib import Path

import pytest

from tests.support.line import ROOT, Line
from tests.support.walkthrough import outputs, steps_of

TUTORIAL = ROOT / "docs" / "tutorial.md"
NEWER_PATHS = ("/checkouts:batch", "/claim")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def directory(line: Line, tmp_path: Path) -> Path:
    """What a clone has beside it once `make up` runs."""
    for name in ("schemas", "deploy", "services"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / ".loyalty").mkdir()
    (tmp_path / ".loyalty" / "env").symlink_to(line.stack.environment_file)
    return tmp_path


async def test_every_block_of_the_tutorial_prints_what_is_shown_under_it(line: Line, directory: Path) -> None:
    document = await line.read("ingest", "/openapi.json")
    assert document is not None
    awaited = [path for path in NEWER_PATHS if not any(known.endswith(path) for known in document["paths"])]
    steps = [step for step in steps_of(TUTORIAL) if not any(path in step.commands for path in awaited)]
    printed = await outputs(steps, directory, {"PYTHONPATH": str(ROOT), "COLUMNS": "200"})
    assert len(printed) == len(steps) >= 18
    for step, output in zip(steps, printed, strict=True):
        assert step.missing_in(output) == [], f"{step.commands}\nprinted\n{output}"
