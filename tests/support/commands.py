"""The command `loyalty` as people run it, beside a service of the test."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.runtime.process.definition import Context

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """`said` is what stands on standard error."""

    code: int
    out: str
    said: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """Somebody with a terminal and the settings of the deployment."""

    settings: dict[str, str]

    async def loyalty(self, *words: object, **settings: str) -> Answer:
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ops", *map(str, words),
            cwd=ROOT, env=os.environ | {"COLUMNS": "200"} | self.settings | settings, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await command.communicate()
        assert command.returncode is not None
        return Answer(command.returncode, out.decode(), said.decode())

    async def document(self, *words: object, **settings: str) -> Any:
        """With --json, which must end well."""
        answer = await self.loyalty(*words, "--json", **settings)
        assert answer.code == 0, answer
        return answer.document


def operator_of(context: Context[Any], database_url: str) -> Operator:
    given = {
        "LOYALTY_KAFKA": context.kafka.bootstrap,
        "LOYALTY_TOPIC_PREFIX": context.kafka.prefix,
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_SEAL_KEY_FILE": str(context.settings.seal_key_file),
        "LOYALTY_IDENTITY_KEY_FILE": str(context.settings.identity_key_file or ""),
    }
    return Operator(given)
