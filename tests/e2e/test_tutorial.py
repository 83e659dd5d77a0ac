"""The tutorial does what it says, on a running stack."""

import sys
from pathlib import Path

import pytest

from tests.support.line import ROOT, Line
from tests.support.walkthrough import outputs, steps_of

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
    steps = list(steps_of(ROOT / "docs" / "tutorial.md"))
    printed = await outputs(steps, directory, {"PYTHONPATH": str(ROOT), "COLUMNS": "200"})
    assert len(printed) == len(steps) >= 20
    for step, output in zip(steps, printed, strict=True):
        assert step.missing_in(output) == [], f"{step.commands}\nprinted\n{output}"
