"""The command `loyalty` in this process, beside a service of the test: a process of its own takes seconds to begin."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from typer.testing import CliRunner

from services.ops.__main__ import build
from services.runtime.process.definition import Context


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
        return await asyncio.to_thread(run_command, *words, **(self.settings | settings))

    async def document(self, *words: object, **settings: str) -> Any:
        """With --json, which must end well."""
        answer = await self.loyalty(*words, "--json", **settings)
        assert answer.code == 0, answer
        return answer.document


def run_command(*words: object, **settings: str) -> Answer:
    done = CliRunner(env={"COLUMNS": "200"} | settings).invoke(build(), [*map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Answer(done.exit_code, done.stdout, done.stderr)


@contextmanager
def operator_beside(context: Context[Any], database_url: str) -> Iterator[Operator]:
    """While it is open, the service's log stays out of what the commands print."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield Operator(
        {
            "LOYALTY_KAFKA": context.kafka.bootstrap,
            "LOYALTY_TOPIC_PREFIX": context.kafka.prefix,
            "LOYALTY_DATABASE_URL": database_url,
            "LOYALTY_SEAL_KEY_FILE": str(context.settings.seal_key_file),
            "LOYALTY_IDENTITY_KEY_FILE": str(context.settings.identity_key_file or ""),
        }
    )
