"""`loyalty rebuild`: the books folded again, and compared with what is live."""

import dataclasses
import json
import time
from typing import Annotated, Literal

import typer
from rich.console import Console

from services.ledger.adapters.replaying import TopicIncompleteError, compare_with_entries, compare_with_topic
from services.ledger.application.replay import Comparison, StreamError
from services.ops.progress_bar import bar
from services.ops.session import FOUND, database, run, settings

EPILOG = "Example: loyalty rebuild ledger --from topic"


def register(app: typer.Typer) -> None:
    app.command("rebuild", epilog=EPILOG)(rebuild)


def rebuild(
    service: Annotated[Literal["ledger"], typer.Argument(metavar="SERVICE", help="Whose books: ledger.")],
    source: Annotated[Literal["topic", "entries"], typer.Option("--from", help="Where the facts come from.")] = "topic",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fold every fact again beside live traffic and compare with the live books; changes nothing.

    Exit code 0: both digests are equal; 1: the first member and number that differ are named.
    """
    console = Console()
    began = time.monotonic()
    try:
        comparison = run(compare_ledger(source, quiet=as_json))
    except (StreamError, TopicIncompleteError) as broken:
        _tell_broken(str(broken), service, as_json=as_json)
        raise typer.Exit(FOUND) from None
    if as_json:
        typer.echo(json.dumps({"service": service, **dataclasses.asdict(comparison), "equal": comparison.equal}))
    else:
        show(comparison, time.monotonic() - began, console)
    if not comparison.equal:
        raise typer.Exit(FOUND)


async def compare_ledger(source: str, *, quiet: bool) -> Comparison:
    async with database("ledger") as books:
        with bar(f"folding the facts of the {source}", quiet=quiet) as progress:
            if source == "entries":
                return await compare_with_entries(books, progress)
            return await compare_with_topic(books, settings().kafka_settings(), progress)


def show(comparison: Comparison, seconds: float, console: Console) -> None:
    console.print(f"{comparison.facts:,} facts of {comparison.members:,} members folded in {seconds:.1f} s")
    console.print(f"  live     {comparison.digest_live}", highlight=False)
    console.print(f"  rebuilt  {comparison.digest_rebuilt}", highlight=False)
    if comparison.equal:
        console.print("[green]equal[/]: the same history and the same fold, to the point")
    else:
        console.print(f"[red]different[/]: {comparison.difference}", soft_wrap=True)


def _tell_broken(why: str, service: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"service": service, "equal": False, "difference": why}))
    else:
        Console().print(f"[red]cannot be compared[/]: {why}", soft_wrap=True)
