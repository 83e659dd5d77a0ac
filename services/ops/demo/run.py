"""The demo from the first process started to the last one stopped."""

import asyncio
import dataclasses
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from services.ledger.adapters.replaying import compare_with_topic
from services.ledger.adapters.verification import verify_books
from services.ops.commands.rebuild import show as show_comparison
from services.ops.commands.up import ConsoleProgress
from services.ops.commands.verify import show as show_verdict
from services.ops.demo.birthday import celebrate
from services.ops.demo.history import publish_all, register_all, wait_for_books, wait_for_quiet
from services.ops.demo.journey import STORE_ZONE, Journey, load
from services.ops.demo.loss import Lost, lose_and_rebuild
from services.ops.demo.shop import DemoFailedError, Shop
from services.ops.demo.today import FLOWERS, FLOWERS_KEY, live
from services.ops.progress_bar import bar
from services.ops.stack.local import LocalStack, StackOptions
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import system_clock

MESSAGES_SHOWN = 2
# How soon a service that has halted looks again: nobody should have to watch it wait.
SOON = {"LOYALTY_GUARD_RECHECK_SECONDS": "1"}
PROGRAMME = Path(__file__).resolve().parents[3] / "deploy" / "programmes" / "journey.yaml"

FIGURES = text("""
SELECT count(*) AS facts,
       count(*) FILTER (WHERE type = 'purchase_recorded') AS purchases,
       count(*) FILTER (WHERE type = 'points_redeemed') AS redemptions,
       count(*) FILTER (WHERE type = 'return_recorded') AS returns
FROM ledger.entry
""")
TIER_CHANGES = text("SELECT count(*) FROM tiering.tier_change_json WHERE NOT (fact ->> 'retroactive')::boolean")
TOP_MEMBERS = text("""
SELECT member_id::text AS member_id, (state #>> '{units,points,available}')::bigint AS points,
       (state #>> '{units,growth,available}')::bigint AS growth
FROM ledger.account_json ORDER BY points DESC NULLS LAST, member_id LIMIT 5
""")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`baskets` bounds the history; `keep` leaves the stack running until Ctrl-C."""

    baskets: int
    keep: bool
    state_dir: Path


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to; `tier_changes` leaves out corrections of the past, which baskets that arrive late cause.

    `digest_live` is of the books before their schema was dropped, `digest_rebuilt` of those that came back from the
    topic; `fold_per_second` is baskets a second, from the first one published to the last one in the books, while the
    services and the demo share the machine.
    """

    purchases: int
    facts: int
    members: int
    tier_changes: int
    redemptions: int
    returns: int
    messages_received: int
    digest_live: str
    digest_rebuilt: str
    fold_per_second: int
    verified: bool
    seconds: float

    @property
    def is_good(self) -> bool:
        shown = self.purchases and self.tier_changes and self.redemptions and self.returns
        is_shown = bool(shown) and self.messages_received >= MESSAGES_SHOWN
        return is_shown and self.verified and self.digest_live == self.digest_rebuilt


async def run_demo(options: DemoOptions, console: Console, *, quiet: bool) -> Summary:
    """Raises DemoFailedError, and the stack's own errors, with what to do."""
    began = time.monotonic()
    shutil.rmtree(options.state_dir, ignore_errors=True)
    journey = load(options.baskets, system_clock().astimezone(STORE_ZONE).date())
    _introduce(journey, console)
    stack_options = StackOptions(
        state_dir=options.state_dir, free_service_ports=True, example_programme=False, extra_env=SOON
    )
    async with LocalStack(stack_options, ConsoleProgress(console)) as stack:
        async with _shop(stack) as shop, _database(stack) as database:
            summary = await _play(_Set(stack, shop, database, console, quiet), journey, began)
        if options.keep:
            console.print(f"\nkept running, with the API key {stack.api_key}; Ctrl-C stops it")
            await asyncio.Event().wait()
    shutil.rmtree(options.state_dir, ignore_errors=True)
    return summary


@dataclass(frozen=True, slots=True)
class _Set:
    stack: LocalStack
    shop: Shop
    database: Database
    console: Console
    quiet: bool

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(bootstrap=self.stack.kafka)


async def _play(scene: _Set, journey: Journey, began: float) -> Summary:
    fold_per_second = await _past(scene, journey)
    mailbox = scene.stack.mailbox
    if mailbox is None:
        raise DemoFailedError("the demo reads its own mailbox: unset LOYALTY_SMTP_HOST")
    today = await live(scene.shop, mailbox, system_clock, scene.console)
    await celebrate(scene.shop, mailbox, system_clock, scene.console)
    await wait_for_quiet(scene.database, scene.kafka)
    scene.console.rule("proof")
    with bar("folding topic points", quiet=scene.quiet, console=scene.console) as advance:
        folding = time.monotonic()
        comparison = await compare_with_topic(scene.database, scene.kafka, advance)
    show_comparison(comparison, time.monotonic() - folding, scene.console)
    ask_again = partial(scene.shop.redeem, today.member_id, FLOWERS, FLOWERS_KEY)
    lost = Lost(scene.stack, scene.database, scene.console, scene.quiet)
    filled = await lose_and_rebuild(lost, today.flowers, ask_again)
    with bar("checking the books", quiet=scene.quiet, console=scene.console) as advance:
        verdict = await verify_books(scene.database, system_clock(), advance)
    show_verdict(verdict, scene.console)
    async with scene.database.read() as connection:
        figures = (await connection.execute(FIGURES)).one()
        tier_changes = (await connection.execute(TIER_CHANGES)).scalar_one()
    return Summary(
        purchases=figures.purchases,
        facts=figures.facts,
        members=comparison.members,
        tier_changes=tier_changes,
        redemptions=figures.redemptions,
        returns=figures.returns,
        messages_received=len(mailbox.received),
        digest_live=comparison.digest_live,
        digest_rebuilt=filled.comparison.digest_live,
        fold_per_second=fold_per_second,
        verified=verdict.offence is None and comparison.equal and filled.comparison.equal,
        seconds=round(time.monotonic() - began, 1),
    )


async def _past(scene: _Set, journey: Journey) -> int:
    """How many baskets a second came into the books."""
    console, quiet = scene.console, scene.quiet
    await scene.shop.publish_programme(PROGRAMME.read_bytes())
    with bar("registering members", quiet=quiet, console=console) as advance:
        await register_all(scene.shop, journey.households, advance)
    publishing = time.monotonic()
    async with asyncio.TaskGroup() as line:
        with bar("purchases in the books", quiet=quiet, console=console) as advance:
            line.create_task(publish_all(scene.kafka, journey.baskets, lambda _done, _total: None))
            await wait_for_books(scene.database, len(journey.baskets), advance)
    fold_per_second = round(len(journey.baskets) / (time.monotonic() - publishing))
    await wait_for_quiet(scene.database, scene.kafka)
    async with scene.database.read() as connection:
        table = Table("member", "points", "growth", title="who has most")
        for row in await connection.execute(TOP_MEMBERS):
            table.add_row(row.member_id, f"{row.points or 0:,}", f"{row.growth or 0:,}")
    console.print(table)
    return fold_per_second


def _introduce(journey: Journey, console: Console) -> None:
    first, last = journey.baskets[0].occurred_at, journey.baskets[-1].occurred_at
    console.print(
        f"{len(journey.baskets):,} baskets of {len(journey.households):,} households from the Complete Journey study "
        f"data set, moved by {journey.moved_by.days // 7} weeks to {first:%Y-%m-%d} … {last:%Y-%m-%d}.\n"
        "Names, addresses, birthdays, cards, terminals and tenders are made up, with a fixed seed."
    )


@asynccontextmanager
async def _shop(stack: LocalStack) -> AsyncIterator[Shop]:
    shop = Shop(stack)
    try:
        yield shop
    finally:
        await shop.close()


@asynccontextmanager
async def _database(stack: LocalStack) -> AsyncIterator[Database]:
    database = Database(create_engine(stack.database_url, role=None, schema="ledger", pool_size=2))
    try:
        yield database
    finally:
        await database.dispose()


def as_document(summary: Summary) -> dict[str, object]:
    return dataclasses.asdict(summary)
