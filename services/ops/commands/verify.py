"""`loyalty verify`: the books checked against themselves."""

import dataclasses
import json
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from services.ledger.adapters.closing import topic_is_ahead
from services.ledger.adapters.mending import Repair, repair_books
from services.ledger.adapters.verification import Offence, Verdict, verify_books
from services.ledger.domain.moves import Bucket
from services.ops.progress_bar import bar
from services.ops.session import FOUND, database, run, settings
from services.runtime.errors import Transient
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import system_clock

EPILOG = "Example: loyalty verify ledger --json"
DAMAGED = (
    "entries themselves are damaged or gone, which nothing here can mend: take the ledger from its topic, "
    "see “The ledger's database is gone” in docs/runbook.md"
)


def register(app: typer.Typer) -> None:
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    what: Annotated[Literal["ledger", "all"], typer.Argument(help="Which books.")] = "all",
    repair: Annotated[
        bool, typer.Option("--repair", help="First make wrong accounts, due dates and stock again from the entries.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check chains, numbers without gaps, accounts against their fold, conservation per unit, the outbox, and that the
    topic knows no fact that the books lack. Runs beside live traffic, with --repair too.

    Exit code 0: all holds, perhaps after repair; 1: the first offender is named.
    """
    console = Console()
    repaired = run(repair_ledger(quiet=as_json)) if repair else Repair()
    verdict = run(verify_ledger(quiet=as_json))
    if as_json:
        typer.echo(json.dumps(as_document(verdict) | (_as_told(repaired) if repair else {})))
    else:
        for each in repaired.mended:
            console.print(f"repaired {each.what}: {each.was}", soft_wrap=True, highlight=False)
        for each in repaired.beyond:
            console.print(f"[red]not repaired[/] {each.what}: {each.was}", soft_wrap=True, highlight=False)
        show(verdict, console)
        if repaired.beyond:
            console.print(DAMAGED, soft_wrap=True)
    if verdict.offence is not None:
        raise typer.Exit(FOUND)


async def verify_ledger(*, quiet: bool) -> Verdict:
    async with database("ledger") as books:
        with bar("checking the ledger", quiet=quiet) as progress:
            verdict = await verify_books(books, system_clock(), progress)
        verdict.offence = verdict.offence or await _behind_its_topic(books)
        return verdict


async def repair_ledger(*, quiet: bool) -> Repair:
    async with database("ledger") as books:
        with bar("looking for wrong accounts", quiet=quiet) as progress:
            return await repair_books(books, progress)


async def _behind_its_topic(books: Database) -> Offence | None:
    try:
        halt = await topic_is_ahead(books, settings().kafka_settings())
    except Transient as away:
        # The books can be checked while Kafka is away; only this question has to wait.
        sys.stderr.write(f"loyalty: the topic was not asked whether it is ahead of these books ({away})\n")
        return None
    return None if halt is None else Offence("topic", f"{halt.what}: {halt.remedy}")


def as_document(verdict: Verdict) -> dict[str, object]:
    return {
        "holds": verdict.offence is None,
        "members": verdict.members,
        "facts": verdict.facts,
        "outbox": verdict.outbox,
        "units": {unit: balance._asdict() for unit, balance in verdict.totals().items()},
        "offence": verdict.offence and dataclasses.asdict(verdict.offence),
    }


def _as_told(repaired: Repair) -> dict[str, object]:
    return {
        "repaired": [dataclasses.asdict(each) for each in repaired.mended],
        "not_repaired": [dataclasses.asdict(each) for each in repaired.beyond],
    }


def show(verdict: Verdict, console: Console) -> None:
    totals = verdict.totals()
    table = Table("bucket", *totals)
    for bucket in Bucket:
        points = [getattr(balance, bucket) for balance in totals.values()]
        if any(points):
            table.add_row(bucket, *(f"{each:,}" for each in points))
    console.print(table)
    if verdict.offence is None:
        console.print(
            f"[green]holds[/]: {verdict.facts:,} facts of {verdict.members:,} members, {verdict.outbox} unsent"
        )
    else:
        console.print(f"[red]does not hold[/] ({verdict.offence.check}): {verdict.offence.detail}", soft_wrap=True)
