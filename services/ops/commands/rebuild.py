"""`loyalty rebuild`: the books folded again, and compared with what is live or filled from the topic."""

import dataclasses
import json
import time
from typing import Annotated, Literal

import typer
from rich.console import Console

from services.ledger.adapters.closing import check_schema, topic_is_ahead
from services.ledger.adapters.filling import Filled
from services.ledger.adapters.replaying import TopicIncompleteError, compare_with_entries, compare_with_topic
from services.ledger.application.replay import Comparison, StreamError
from services.ops.progress_bar import bar
from services.ops.rebuilding import fill_ledger
from services.ops.session import FOUND, database, run, settings

EPILOG = "Example: loyalty rebuild ledger --from topic"
HALTED = "the ledger stays halted; see “The ledger's database is gone” in docs/runbook.md"


def register(app: typer.Typer) -> None:
    app.command("rebuild", epilog=EPILOG)(rebuild)


def rebuild(
    service: Annotated[Literal["ledger"], typer.Argument(metavar="SERVICE", help="Whose books: ledger.")],
    source: Annotated[Literal["topic", "entries"], typer.Option("--from", help="Where the facts come from.")] = "topic",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fold every fact again. Books that hold all that their topic holds are compared, beside live traffic; empty or
    older ones are filled from the topic, while the service is halted. Interrupted, it goes on where it stopped.

    Exit code 0: both digests are equal; 1: the first member and number that differ are named; 2: it must not begin,
    or go on, and the reason says what to do.
    """
    console = Console()
    began = time.monotonic()
    try:
        done = run(rebuild_ledger(source, quiet=as_json))
    except (StreamError, TopicIncompleteError) as broken:
        _tell_broken(str(broken), service, as_json=as_json)
        raise typer.Exit(FOUND) from None
    comparison = done.comparison if isinstance(done, Filled) else done
    if as_json:
        filled = {"added": done.added, "unpublished": done.unpublished} if isinstance(done, Filled) else {}
        told = {"service": service, **filled, **dataclasses.asdict(comparison), "equal": comparison.equal}
        typer.echo(json.dumps(told))
    else:
        if isinstance(done, Filled):
            console.print(f"{done.added:,} facts were missing and are in the books again")
            if done.unpublished:
                console.print(f"{done.unpublished:,} facts that the topic lacks will be sent by the relay")
        show(comparison, time.monotonic() - began, console)
        if isinstance(done, Filled):
            console.print("the ledger goes on within seconds" if comparison.equal else HALTED, soft_wrap=True)
    if not comparison.equal:
        raise typer.Exit(FOUND)


async def rebuild_ledger(source: str, *, quiet: bool) -> Filled | Comparison:
    async with database("ledger") as books:
        await check_schema(books)
        kafka = settings().kafka_settings()
        if source == "topic" and await topic_is_ahead(books, kafka) is not None:
            with bar("filling the books from the topic", quiet=quiet) as progress:
                return await fill_ledger(books, settings(), progress)
        with bar(f"folding the facts of the {source}", quiet=quiet) as progress:
            if source == "entries":
                return await compare_with_entries(books, progress)
            return await compare_with_topic(books, kafka, progress)


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
        Console().print(f"[red]cannot be rebuilt[/]: {why}", soft_wrap=True)
