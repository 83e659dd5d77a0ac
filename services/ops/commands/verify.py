"""`loyalty verify`: the books checked against themselves."""

import dataclasses
import json
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from services.ledger.adapters.verification import Verdict, verify_books
from services.ledger.domain.moves import Bucket
from services.ops.progress_bar import bar
from services.ops.session import FOUND, database, run
from services.runtime.process.definition import system_clock

EPILOG = "Example: loyalty verify ledger --json"


def register(app: typer.Typer) -> None:
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    what: Annotated[Literal["ledger", "all"], typer.Argument(help="Which books.")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check chains, numbers without gaps, accounts against their fold, conservation per unit and the outbox.

    Exit code 0: all holds; 1: the first offender is named.
    """
    verdict = run(verify_ledger(quiet=as_json))
    if as_json:
        typer.echo(json.dumps(as_document(verdict)))
    else:
        show(verdict, Console())
    if verdict.offence is not None:
        raise typer.Exit(FOUND)


async def verify_ledger(*, quiet: bool) -> Verdict:
    async with database("ledger") as books:
        with bar("checking the ledger", quiet=quiet) as progress:
            return await verify_books(books, system_clock(), progress)


def as_document(verdict: Verdict) -> dict[str, object]:
    return {
        "holds": verdict.offence is None,
        "members": verdict.members,
        "facts": verdict.facts,
        "outbox": verdict.outbox,
        "units": {unit: balance._asdict() for unit, balance in verdict.totals().items()},
        "offence": verdict.offence and dataclasses.asdict(verdict.offence),
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
