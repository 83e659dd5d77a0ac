"""`loyalty up`: the whole platform on this machine until Ctrl-C."""

import asyncio
import json
import shlex
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.ops.stack.local import LocalStack, StackOptions

EPILOG = "Example: loyalty up --state-dir /var/tmp/loyalty"


def register(app: typer.Typer) -> None:
    app.command("up", epilog=EPILOG)(up)


def up(
    state_dir: Annotated[Path, typer.Option(help="Where data, keys and logs are kept.")] = Path(".loyalty"),
    service: Annotated[list[str] | None, typer.Option(help="Start only this service; may be repeated.")] = None,
    without_services: Annotated[bool, typer.Option(help="Start only Kafka and PostgreSQL.")] = False,
    example_programme: Annotated[bool, typer.Option(help="Publish an example programme where there is none.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="When ready, print addresses and key as JSON.")] = False,
) -> None:
    """Start Kafka, PostgreSQL and every service here; Ctrl-C stops all of it, the data stay."""
    names = () if without_services else service
    options = StackOptions(state_dir=state_dir, services=names, example_programme=example_programme)
    asyncio.run(run_until_stopped(options, ConsoleProgress(Console(stderr=True, highlight=False)), as_json=as_json))


async def run_until_stopped(options: StackOptions, progress: "ConsoleProgress", *, as_json: bool) -> None:
    running = asyncio.create_task(_run(options, progress, as_json=as_json))
    stopping = False

    def stop(name: str) -> None:
        nonlocal stopping
        if stopping:
            progress.note("already stopping")
            return
        stopping = True
        progress.note(f"{name}: stopping, the data stay in {options.state_dir}")
        running.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number.name)
    try:
        await running
    except asyncio.CancelledError:
        if not stopping:
            raise
        progress.note("stopped")


async def _run(options: StackOptions, progress: "ConsoleProgress", *, as_json: bool) -> None:
    async with LocalStack(options, progress) as stack:
        if as_json:
            typer.echo(json.dumps(_addresses(stack)))
        else:
            progress.show(stack)
        await stack.watch()


def _addresses(stack: LocalStack) -> dict[str, object]:
    return {
        "kafka": stack.kafka,
        "database_url": stack.database_url,
        "services": {name: service.url for name, service in stack.services.items()},
        "api_key": stack.api_key,
    }


class ConsoleProgress:
    """Lines with seconds since the start, for a terminal or a log file alike."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._steps: dict[str, float] = {}

    def step_begins(self, what: str) -> None:
        self._steps[what] = time.monotonic()
        self._line(f"{what} …")

    def step_ends(self, what: str) -> None:
        took = time.monotonic() - self._steps.pop(what, time.monotonic())
        self._line(f"[green]✓[/] {what} [dim]({took:.1f} s)[/]")

    def note(self, line: str) -> None:
        self._line(line)

    def problem(self, source: str, line: str) -> None:
        self._console.print(f"[red]![/] [bold]{source}[/]", end=" ")
        self._console.print(line, markup=False, soft_wrap=True)

    def show(self, stack: LocalStack) -> None:
        self._line("[bold green]ready[/]")
        self._line(f"  Kafka       {stack.kafka}")
        self._line(f"  PostgreSQL  {stack.database_url}")
        for name, service in stack.services.items():
            self._line(f"  {name:<11} {service.url}")
        if stack.mailbox is not None:
            self._line(f"  mail        kept in {stack.mail_directory}, none leaves this machine")
        self._line(f"  API key     {stack.api_key}")
        self._line(f"Other commands, in another terminal: source {shlex.quote(str(stack.environment_file))}")
        self._line("Ctrl-C stops everything; the data stay.")

    def _line(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:5.1f} s[/] {text}", soft_wrap=True)
