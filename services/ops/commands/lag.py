"""`loyalty lag`: how far everything is behind."""

import dataclasses
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.ops.lag import Lag, read_lag
from services.ops.session import FOUND, database, run, settings
from services.runtime.process.definition import system_clock

EPILOG = "Example: loyalty lag --json"


def register(app: typer.Typer) -> None:
    app.command("lag", epilog=EPILOG)(lag)


def lag(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Show what every consumer has not handled and every outbox not sent, in records and seconds, and what is set
    aside for a person.

    Exit code 0: everything moves; 1: a partition has stopped, and its cause is shown.
    """
    found = run(_read())
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found)))
    else:
        _show(found, Console())
    if found.stopped:
        raise typer.Exit(FOUND)


async def _read() -> Lag:
    async with database("public") as books:
        return await read_lag(books, settings().kafka_settings(), system_clock())


def _show(found: Lag, console: Console) -> None:
    consumers = Table("service", "topic", "partition", "state", "behind", "seconds", "cause", title="consumers")
    for partition in found.partitions:
        if partition.records or partition.state != "running":
            consumers.add_row(
                partition.service,
                partition.topic,
                str(partition.partition),
                partition.state,
                f"{partition.records:,}",
                f"{partition.seconds:.1f}",
                partition.cause or "",
            )
    if consumers.row_count:
        console.print(consumers)
    outboxes = Table("service", "unsent", "seconds", title="outboxes")
    for outbox in found.outboxes:
        outboxes.add_row(outbox.service, f"{outbox.rows:,}", f"{outbox.seconds:.1f}")
    console.print(outboxes)
    waiting = [each for each in found.set_aside if each.dead_letters or each.parked_keys]
    if waiting:
        set_aside = Table("service", "dead letters", "parked keys", title="set aside: loyalty dlq ls")
        for each in waiting:
            set_aside.add_row(each.service, f"{each.dead_letters:,}", f"{each.parked_keys:,}")
        console.print(set_aside)
    console.print(f"{found.records:,} records behind in {len(found.partitions)} partitions")
