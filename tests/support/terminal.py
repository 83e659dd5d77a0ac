"""Somebody at a terminal, in this process: the command `loyalty` beside a service that runs here as well."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from services.ops.__main__ import build


@dataclass(frozen=True)
class Said:
    """`out` is mixed with what the service, which shares the process, has logged meanwhile."""

    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Terminal:
    settings: dict[str, str]

    async def loyalty(self, *words: str) -> Said:
        result = await asyncio.to_thread(CliRunner().invoke, build(), words, env={"COLUMNS": "200"} | self.settings)
        return Said(result.exit_code, result.stdout, result.stderr)

    async def document(self, *words: str) -> Any:
        """With --json, which must end well."""
        said = await self.loyalty(*words, "--json")
        assert said.code == 0, said
        return json.loads(next(line for line in said.out.splitlines() if line[:1] in ("{", "[")))
