"""The worst day: the ledger's books are gone. They come back from the topic, and nobody is paid twice."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console
from sqlalchemy import text

from services.ledger.adapters.filling import Filled
from services.ops.demo.history import wait_for_quiet
from services.ops.demo.shop import DemoFailedError
from services.ops.progress_bar import bar
from services.ops.rebuilding import lose_and_fill_ledger
from services.ops.stack.local import LocalStack
from services.runtime.postgres.unit_of_work import Database
from services.runtime.settings import ServiceSettings

FACTS = text("SELECT count(*) FROM ledger.entry")

AskAgain = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Lost:
    """Where it happens: the stack, and its database as its owner."""

    stack: LocalStack
    database: Database
    console: Console
    quiet: bool


async def lose_and_rebuild(lost: Lost, first_answer: dict[str, Any], ask_again: AskAgain) -> Filled:
    """Drops the ledger's schema while its service runs and fills a new one from topic `points`.

    `ask_again` repeats a redemption that was answered before the loss. DemoFailedError where its answer differs, or
    where reading every input from its beginning again leaves one more fact.
    """
    stack, tell = lost.stack, partial(lost.console.print, highlight=False, soft_wrap=True)
    tell("\nThe schema of the ledger is dropped while it runs: entries, accounts, positions, all of it.")
    tell("Its process fails, starts again and halts, for its topic is ahead of its books")
    settings = ServiceSettings.load("ops", kafka=stack.kafka, database_url=stack.database_url)
    began = time.monotonic()
    with bar("filling the books from topic points", quiet=lost.quiet, console=lost.console) as advance:
        filled = await lose_and_fill_ledger(lost.database, settings, advance)
    seconds = time.monotonic() - began
    tell(f"  {filled.added:,} facts came back in {seconds:.1f} s; the service reads all its inputs again")
    await stack.services["ledger"].wait_until_ready()
    await wait_for_quiet(lost.database, settings.kafka_settings())
    facts = await _facts(lost.database)
    if facts != filled.comparison.facts:
        raise DemoFailedError(f"{filled.comparison.facts} facts came back, and {facts} are there after the inputs")
    if (again := await ask_again()) != first_answer:
        raise DemoFailedError(f"after the rebuild the same key got another answer: {first_answer}, then {again}")
    tell("  every input was read from its beginning: no fact more; the flowers' key gets its first answer")
    return filled


async def _facts(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(FACTS)).scalar_one())
