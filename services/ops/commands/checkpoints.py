"""`loyalty checkpoints`: where every consumer stands, and how it is moved by hand."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from services.ops.lag import SERVICES
from services.ops.session import database, missed, misused, run, settings
from services.runtime.kafka.checkpoints import PartitionId, move
from services.runtime.kafka.reader import begin_offsets, end_offsets

SERVICE = Annotated[str, typer.Argument(metavar="SERVICE", help=", ".join(SERVICES))]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ROWS = text("""
SELECT topic, partition, next_offset, epoch, owner, state, cause, updated_at FROM checkpoint ORDER BY topic, partition
""")


def register(app: typer.Typer) -> None:
    checkpoints = typer.Typer(help="Positions of the consumers.", no_args_is_help=True)
    checkpoints.command("show", epilog="Example: loyalty checkpoints show ledger")(show)
    checkpoints.command("move", epilog="Example: loyalty checkpoints move ledger purchases 3 beginning")(move_one)
    app.add_typer(checkpoints, name="checkpoints")


def show(service: SERVICE, as_json: AS_JSON = False) -> None:
    """Where a service stands in each partition, who holds it, and why it does not move if it does not."""
    rows = run(_rows(_known(service)))
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = Table("topic", "partition", "next", "epoch", "state", "cause")
    for row in rows:
        shown = (row[name] for name in ("topic", "partition", "next_offset", "epoch", "state", "cause"))
        table.add_row(*("" if value is None else str(value) for value in shown))
    Console().print(table)


def move_one(
    service: SERVICE,
    topic: Annotated[str, typer.Argument(help="Its name without the deployment's prefix.")],
    partition: Annotated[int, typer.Argument(min=0)],
    to: Annotated[str, typer.Argument(metavar="OFFSET", help="A number, `beginning` or `end`.")],
    as_json: AS_JSON = False,
) -> None:
    """Move a position: back to read again (what was handled meets its id and changes nothing), or on past what is lost.

    Exit code 0: moved; 1: the service has no such partition; 2: the offset is not in the topic.
    """
    moved = run(_move(PartitionId(_known(service), topic, partition), to))
    if moved is None:
        missed(f"{service} holds no position in {topic}/{partition}")
    was, becomes = moved
    said = {"service": service, "topic": topic, "partition": partition, "was": was, "is": becomes}
    typer.echo(json.dumps(said) if as_json else f"{service}: {topic}/{partition} moved from {was} to {becomes}")


def _known(service: str) -> str:
    if service not in SERVICES:
        misused(f"there is no service {service}; there are {', '.join(SERVICES)}")
    return service


async def _rows(service: str) -> list[dict[str, Any]]:
    async with database(service) as opened, opened.read() as connection:
        return [dict(row._mapping) for row in await connection.execute(ROWS)]


async def _move(of: PartitionId, to: str) -> tuple[int, int] | None:
    kafka = settings().kafka_settings()
    begin = (await begin_offsets(kafka, of.topic)).get(of.partition)
    end = (await end_offsets(kafka, of.topic)).get(of.partition)
    if begin is None or end is None:
        return None
    offset = {"beginning": begin, "end": end}.get(to, int(to) if to.isdecimal() else -1)
    if not begin <= offset <= end:
        misused(f"{of.topic}/{of.partition} goes from {begin} to {end}: {to} is not in it")
    async with database(of.consumer) as opened, opened.begin() as uow:
        was = await move(uow, of, to_offset=offset)
    return None if was is None else (was, offset)
