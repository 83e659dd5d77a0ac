"""`loyalty bench`: rates on this machine."""

import dataclasses
import json
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console
from rich.table import Table

EPILOG = "Example: loyalty bench fold --purchases 100000 --members 20000 --json"

bench = typer.Typer(help="Measure rates on this machine, each beside a floor from the same run.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(bench, name="bench")


@bench.callback()
def _group() -> None:
    """Measure rates on this machine, each beside a floor from the same run."""


@bench.command("fold", epilog=EPILOG)
def fold(
    purchases: Annotated[int, typer.Option(min=1_000, help="How many purchases to fold.")] = 100_000,
    members: Annotated[int, typer.Option(min=1, help="Of how many members.")] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """From a six-partition topic into the books with full adjudication, broker and database on this machine."""
    from services.ops.bench.fold import bench_fold

    _measure(partial(bench_fold, purchases=purchases, members=members), as_json)


@bench.command("redeem", epilog="Example: loyalty bench redeem --json")
def redeem(
    redemptions: Annotated[int, typer.Option(min=1_000, help="How many redemptions, and half as many over HTTP.")] = (
        20_000
    ),
    members: Annotated[int, typer.Option(min=1, help="Of how many members.")] = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Redemptions on sixteen connections: the use case beside its SQL steps bare, and over HTTP."""
    from services.ops.bench.redeem import bench_redeem

    _measure(partial(bench_redeem, redemptions=redemptions, members=members), as_json)


def _measure(run: Callable[..., Coroutine[Any, Any, Any]], as_json: bool) -> None:
    console = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as scratch, console.status("starting") as status:
        state_dir = Path(scratch)
        state_dir.chmod(0o755)
        figures = uvloop.run(run(state_dir=state_dir, tell=status.update))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(figures)))
        return
    table = Table("figure", "value")
    for name, value in dataclasses.asdict(figures).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)
