"""`loyalty demo`: the whole platform on a year of real baskets, shown, proved and stopped."""

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.ops.session import FOUND

EPILOG = "Example: loyalty demo --baskets 2000 --json"


def register(app: typer.Typer) -> None:
    app.command("demo", epilog=EPILOG)(demo)


def demo(
    baskets: Annotated[int, typer.Option(min=100, help="At least so many, in whole households.")] = 10_000,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    state_dir: Annotated[Path, typer.Option(help="Where its data are; emptied first.")] = Path(".loyalty/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, the show on stderr.")] = False,
) -> None:
    """Bring up Kafka, PostgreSQL and six services, play a year of baskets through them, then shop live today.

    Exit code 0: everything was shown and both digests are equal; 1: something was not as it should be.
    """
    try:
        from services.ops.demo.run import DemoOptions, as_document, run_demo
    except ModuleNotFoundError as missing:
        typer.echo(f"loyalty: the demo needs the extra `demo` ({missing.name} is missing): run make demo", err=True)
        raise typer.Exit(2) from None
    from services.ops.demo.shop import DemoFailedError

    console = Console(stderr=as_json)
    options = DemoOptions(baskets=baskets, keep=keep, state_dir=state_dir)
    try:
        summary = asyncio.run(run_demo(options, console, quiet=not sys.stderr.isatty()))
    except DemoFailedError as failed:
        typer.echo(f"loyalty: the demo failed: {failed}; logs are in {state_dir}/logs", err=True)
        raise typer.Exit(FOUND) from None
    if as_json:
        typer.echo(json.dumps(as_document(summary)))
    else:
        _show(dataclasses.asdict(summary), console)
    if not summary.is_good:
        raise typer.Exit(FOUND)


def _show(summary: dict[str, object], console: Console) -> None:
    table = Table("figure", "value", title="summary")
    for name, value in summary.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)
