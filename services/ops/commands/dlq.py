"""`loyalty dlq`: what was set aside, looked at and decided."""

import dataclasses
import json
import sys
from datetime import datetime
from typing import Annotated, Literal

import typer
from rich.console import Console

from schemas.base import rfc3339
from services.ops import decisions
from services.ops.dead_letter_views import (
    letter_document,
    page_document,
    redriven_document,
    show_letter,
    show_page,
    show_redriven,
)
from services.ops.decisions import Redriven, Selection
from services.ops.lag import SERVICES
from services.ops.operator_actions import OperatorAction, actions_on, note_action
from services.ops.progress_bar import bar
from services.ops.session import FOUND, database, missed, misused, run, settings
from services.ops.set_aside import (
    DeadLetter,
    Page,
    ParkedKey,
    Payload,
    State,
    open_payload,
    read_letter,
    read_page,
    read_parked_keys,
    shown_key,
)
from services.ops.topic_table import topic_table
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.kafka.parking import CannotPark
from services.runtime.process.definition import system_clock
from services.runtime.seal import Seal

ALL_STATES: tuple[State, ...] = ("open", "redriven", "discarded")
SERVICE = Annotated[str, typer.Argument(metavar="SERVICE", help=", ".join(SERVICES))]
ID_MAX = 2**63 - 1
IDS = Annotated[list[int], typer.Argument(metavar="ID...", min=1, max=ID_MAX, help="As `dlq ls` shows them.")]
BY = Annotated[str, typer.Option(metavar="NAME", help="Who decides this; kept with the decision.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    dlq = typer.Typer(help="Dead letters and parked keys.", no_args_is_help=True)
    dlq.command("ls", epilog="Example: loyalty dlq ls ingest --state all --limit 20")(ls)
    dlq.command("show", epilog="Example: loyalty dlq show ingest 120 --payload --by ann")(show)
    dlq.command("redrive", epilog="Example: loyalty dlq redrive ingest --code occurred_in_future --by ann")(redrive)
    dlq.command("discard", epilog="Example: loyalty dlq discard ingest 120 121 --by ann --why 'a test till'")(discard)
    dlq.command("park", epilog="Example: loyalty dlq park purchases 3 1841 --by ann")(park)
    app.add_typer(dlq, name="dlq")


def ls(
    service: Annotated[str, typer.Argument(metavar="[SERVICE]", help="Of one service only.")] = "",
    state: Annotated[Literal["open", "redriven", "discarded", "all"], typer.Option()] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    before: Annotated[str, typer.Option(metavar="SERVICE/ID", help="Older ones than this dead letter.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """List dead letters, the newest last, and parked keys. What was sent is not shown."""
    services = (_known(service),) if service else SERVICES
    states = ALL_STATES if state == "all" else (state,)
    page, parked = run(_ls(services, states, limit, _letter_name(before) if before else None))
    if page is None:
        misused(f"there is no dead letter {before}")
    now = system_clock()
    if as_json:
        typer.echo(json.dumps(page_document(page, parked, now), default=rfc3339, ensure_ascii=False))
    else:
        show_page(page, parked, now, Console())


def show(
    service: SERVICE,
    letter: Annotated[int, typer.Argument(metavar="ID", min=1, max=ID_MAX)],
    payload: Annotated[bool, typer.Option("--payload", help="Open what was sent; it is noted who did.")] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who opens it.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Show one dead letter and what people did with it; with --payload also what was sent, which may name a person.

    Exit code 0: shown; 1: the service has no such dead letter, or what was sent is no longer kept.
    """
    found = run(_show(_known(service), letter, _named(by) if payload else None))
    if found is None:
        missed(f"{service} has no dead letter {letter}")
    if payload and found[-1] is None:
        missed(f"{found[0].name} was {found[0].state} by {found[0].decided_by}: what was sent is no longer kept")
    if as_json:
        typer.echo(json.dumps(letter_document(*found), default=rfc3339, ensure_ascii=False))
    else:
        show_letter(*found, Console())


def redrive(
    service: SERVICE,
    by: BY,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID...]", min=1, max=ID_MAX, help="As `dlq ls` shows them.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="All open dead letters with this code.")] = None,
    key: Annotated[str | None, typer.Option(help="All open dead letters of this key, and the key if parked.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All open dead letters and all parked keys.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Handle records again, with the service's own code and rights; they keep their place and time. Running consumers
    need not stop. A parked key is released once all of its records are through, in their order.

    Exit code 0: all went through; 1: some stay as they are, and why, or there is nothing to redrive.
    """
    chosen = Selection(tuple(dict.fromkeys(ids or ())), code, key, everything)
    if [bool(ids), code is not None, key is not None, everything].count(True) != 1:
        misused("say which: ids, --code, --key or --all")
    done = run(_redrive(_known(service), chosen, _named(by), quiet=as_json))
    if as_json:
        typer.echo(json.dumps(redriven_document(done)))
    else:
        show_redriven(done, Console())
    if done.is_empty or not done.is_clean:
        raise typer.Exit(FOUND)


def discard(
    service: SERVICE,
    ids: IDS,
    by: BY,
    why: Annotated[str, typer.Option(help="Kept in the clear, so name nobody but yourself.")],
    as_json: AS_JSON = False,
) -> None:
    """Decide that dead letters will never be handled. Who decided so and why is kept, and what was sent is not.

    Exit code 0: discarded; 1: one of them is not open, and nothing was discarded.
    """
    if not why.strip():
        misused("--why says nothing")
    missing = run(decisions.discard(_known(service), ids, _named(by), why.strip()))
    if missing:
        missed(f"nothing is discarded: {service} has no open dead letter {', '.join(map(str, missing))}")
    said = f"discarded {len(set(ids))} of {service}"
    typer.echo(json.dumps({"service": service, "discarded": sorted(set(ids))}) if as_json else said)


def park(
    topic: Annotated[str, typer.Argument(help="Its name without the deployment's prefix.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0, help="Of the record that stops the partition.")],
    by: BY,
    service: Annotated[str, typer.Option(help="Whose consumer, where several read the topic.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Set a record and every later one of its key aside, in their order, so that the other keys go on.

    A consumer that stands still on the record goes on by itself within seconds. `dlq redrive` brings the key back.
    Exit code 0: parked; 2: it cannot be, and what there is to do instead.
    """
    reader = _reader(topic, service)
    try:
        parked = run(decisions.park(PartitionId(reader, topic, partition), offset, _named(by)))
    except CannotPark as refusal:
        misused(str(refusal))
    key = shown_key(topic, parked.key)
    if as_json:
        typer.echo(json.dumps({"service": reader, "topic": topic, **dataclasses.asdict(parked), "key": key}))
    else:
        typer.echo(f"{reader}: from {parked.next_offset} of {topic}/{partition} on, {key} is parked")
        typer.echo(f"once its cause is mended: loyalty dlq redrive {reader} --key KEY --by NAME", err=True)


async def _ls(
    services: tuple[str, ...], states: tuple[State, ...], limit: int, before: tuple[str, int] | None
) -> tuple[Page | None, list[ParkedKey]]:
    async with database("public") as opened:
        page = await read_page(opened, services, states=states, limit=limit, before=before)
        return page, await read_parked_keys(opened, services) if "open" in states else []


async def _show(
    service: str, letter_id: int, opened_by: str | None
) -> tuple[DeadLetter, list[OperatorAction], datetime, Payload | None] | None:
    async with database("public") as opened:
        letter = await read_letter(opened, service, letter_id)
        if letter is None:
            return None
        payload = None
        if opened_by is not None and letter.state == "open":
            seal = Seal.from_file(settings().required_file("seal_key_file"))
            async with opened.begin() as uow:
                await note_action(uow, operator=opened_by, action="open", subject=letter.name)
            payload = await open_payload(opened, letter, seal)
        return letter, list(await actions_on(opened, letter.name)), system_clock(), payload


async def _redrive(service: str, chosen: Selection, by: str, *, quiet: bool) -> Redriven:
    with bar(f"redriving {service}", quiet=quiet or not sys.stderr.isatty()) as progress:
        return await decisions.redrive(service, chosen, by, progress)


def _reader(topic: str, service: str) -> str:
    readers = topic_table().get(topic, {"consumers": []})["consumers"]
    if service and service not in readers:
        misused(f"{service} does not read {topic}" + (f"; {', '.join(readers)} do" if readers else ""))
    if not readers:
        misused(f"nobody here reads {topic}")
    if not service and len(readers) > 1:
        misused(f"{', '.join(readers)} read {topic}: say for which with --service")
    return service or str(readers[0])


def _letter_name(given: str) -> tuple[str, int]:
    service, _, number = given.partition("/")
    if service not in SERVICES or not number.isdecimal() or int(number) > ID_MAX:
        misused(f"--before {given} is no SERVICE/ID, such as ingest/120")
    return service, int(number)


def _known(service: str) -> str:
    if service not in SERVICES:
        misused(f"there is no service {service}; there are {', '.join(SERVICES)}")
    return service


def _named(by: str) -> str:
    if not by.strip():
        misused("--by NAME is needed: it is kept who did this")
    return by.strip()
