"""A document that is run as it stands: its `bash` blocks in one shell, each compared with the block shown under it."""

import asyncio
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(bash)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ID = re.compile("-".join(f"[0-9a-f]{{{length}}}" for length in (8, 4, 4, 4, 12)))
SECONDS = 600


@dataclass(frozen=True, slots=True)
class Step:
    """`shown` is what a reader is told to see, line by line: `…` stands for anything, an id for any id."""

    commands: str
    shown: tuple[str, ...]

    def missing_in(self, output: str) -> list[str]:
        printed = ID.sub("an id", output)
        return [line for line in self.shown if not re.search(_pattern(line), printed)]


def steps_of(document: Path) -> Iterator[Step]:
    blocks = BLOCK.findall(document.read_text())
    for place, (language, commands) in enumerate(blocks):
        if language:
            following = blocks[place + 1] if place + 1 < len(blocks) else ("bash", "")
            yield Step(commands, () if following[0] else tuple(following[1].splitlines()))


async def outputs(steps: Sequence[Step], directory: Path, environment: Mapping[str, str]) -> list[str]:
    """What each step printed on both streams."""
    mark = "- - - the step is over - - -"
    script = directory / "steps.sh"
    script.write_text("".join(f"{step.commands}\necho; echo '{mark}'\n" for step in steps))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOYALTY_")}
    shell = await asyncio.create_subprocess_exec(
        *("bash", script.name),
        cwd=directory,
        env={**clean, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(shell.communicate(), SECONDS)
    return printed.decode().split(mark)[:-1]


def _pattern(line: str) -> str:
    return ".*".join(re.escape(part) for part in ID.sub("an id", line).split("…"))
