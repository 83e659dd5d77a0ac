"""`loyalty import` as a process of its own, in a directory of its own."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ops.importing.bookmarks import Bookmark

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Ran:
    code: int
    summary: dict[str, Any]
    words: str

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.summary["counts"]
        return counts


@dataclass(frozen=True)
class ImportCommand:
    """Runs in `directory`, where its bookmarks are kept as well."""

    directory: Path
    environment: Mapping[str, str]

    async def __call__(self, *arguments: str) -> Ran:
        process = await self.start(*arguments)
        return await self.end(process)

    async def start(self, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.ops", "import", *arguments, "--json"),
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def end(self, process: asyncio.subprocess.Process) -> Ran:
        out, words = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        assert process.returncode is not None
        return Ran(process.returncode, json.loads(out) if out else {}, words.decode())

    async def until_rows(self, rows: int) -> Bookmark:
        """The bookmark, once so many rows are acknowledged."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for file in self.directory.glob(".loyalty/imports/*.json"):
                    bookmark = Bookmark.model_validate_json(file.read_bytes())
                    if bookmark.place.rows >= rows:
                        return bookmark
                await asyncio.sleep(LOOK_SECONDS)

    def rejected(self) -> list[dict[str, Any]]:
        files = self.directory.glob(".loyalty/imports/*.rejects.ndjson")
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]
