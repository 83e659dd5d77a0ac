"""`loyalty topics`: the table of topics that comes with this release, on a cluster."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.ops.session import FOUND, run, settings
from services.runtime.kafka.topics import TopicChange, apply_topics


def register(app: typer.Typer) -> None:
    topics = typer.Typer(help="Topics of this deployment.", no_args_is_help=True)
    # Without a callback Typer would take a group of one command for that command.
    topics.callback()(_group)
    topics.command("apply", epilog="Example: loyalty topics apply --partitions 48 --replication 3")(apply)
    app.add_typer(topics, name="topics")


def apply(
    partitions: Annotated[int | None, typer.Option(min=1, help="Of topics that do not fix their own number.")] = None,
    replication: Annotated[int | None, typer.Option(min=1, help="Copies of each partition.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Create the topics that are missing and compare the others; what differs is told and left as it is."""
    changes = run(_apply(partitions, replication))
    if as_json:
        typer.echo(json.dumps([asdict(change) for change in changes]))
    else:
        Console().print(_table(changes))
    if any(change.change == "differs" for change in changes):
        raise typer.Exit(FOUND)


async def _apply(partitions: int | None, replication: int | None) -> list[TopicChange]:
    kafka = settings().kafka_settings()
    if replication is None:
        return await apply_topics(kafka, partitions=partitions)
    return await apply_topics(kafka, partitions=partitions, replication=replication)


def _group() -> None:
    """Topics of this deployment."""


def _table(changes: list[TopicChange]) -> Table:
    table = Table("topic", "", "")
    for change in changes:
        table.add_row(change.topic, change.change, change.detail)
    return table
