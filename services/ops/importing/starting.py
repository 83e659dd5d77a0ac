"""From what the command was told to an import that runs until it is done or asked to stop."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from schemas.zones import known_zone
from services.ingest.settings import IngestSettings
from services.ops.importing.bookmarks import Bookmarks
from services.ops.importing.checkout_topic import CheckoutTopic
from services.ops.importing.columns import Subject, read_map
from services.ops.importing.found import STANDARD_INPUT, Again, Format, ImportMisused
from services.ops.importing.http_client import ServiceClient
from services.ops.importing.keeping import Plan
from services.ops.importing.opening import Reading
from services.ops.importing.outcome import Ended
from services.ops.importing.running import Import
from services.ops.importing.services_over_http import Activities, Registrations
from services.ops.importing.showing import display
from services.ops.importing.targets import Rehearsal, Target
from services.ops.importing.values import Amounts, Spelling
from services.runtime.errors import NotReady, Transient
from services.runtime.process.definition import system_clock

DIRECTORY = Path(".loyalty/imports")
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of `loyalty import`, as they were given."""

    subject: Subject
    files: Sequence[Path]
    format: Format | None
    mapping: Path | None
    delimiter: str | None
    encoding: str
    amounts: Amounts
    time_zone: str | None
    rejects: Path | None
    dry_run: bool
    again: Again


@dataclass(frozen=True)
class Destination(Generic[P]):
    """`name` tells it from every other deployment; `remedy` is what to do where it does not answer."""

    target: Target[P]
    name: str
    remedy: str


def plan_of(wish: Wish, to: str) -> Plan:
    """Raises ImportMisused; `to` is the destination's name."""
    names = [file.resolve() for file in wish.files if file != STANDARD_INPUT]
    if len(set(names)) < len(names) or list(wish.files).count(STANDARD_INPUT) > 1:
        raise ImportMisused("a file is named twice")
    if wish.rejects is not None and wish.rejects.resolve() in names:
        raise ImportMisused(f"{wish.rejects} is one of the files to import: rejects need a file of their own")
    try:
        zone = ZoneInfo(known_zone(wish.time_zone)) if wish.time_zone else None
    except ValueError:
        raise ImportMisused(f"there is no time zone {wish.time_zone}; one is Asia/Shanghai") from None
    if wish.delimiter is not None and len(wish.delimiter.replace("\\t", "\t")) != 1:
        raise ImportMisused("a delimiter is one character, or \\t")
    reading = Reading(
        subject=wish.subject,
        format=wish.format,
        mapping=read_map(wish.mapping),
        spelling=Spelling(wish.amounts, zone),
        delimiter=wish.delimiter and wish.delimiter.replace("\\t", "\t"),
        encoding=wish.encoding,
    )
    for file in wish.files:
        reading.format_of(file)
    return Plan(reading, Bookmarks(DIRECTORY, to), wish.rejects, wish.dry_run, wish.again)


def destination(wish: Wish, *, url: str, key: str, concurrency: int) -> Destination[Any]:
    """Raises ImportMisused where a key is needed and missing."""
    if wish.subject == "checkouts":
        ingest = IngestSettings.load("ingest")
        kafka = ingest.kafka_settings()
        topic = CheckoutTopic(kafka, phone_region=ingest.phone_region, clock=system_clock)
        name = f"{kafka.bootstrap} {kafka.prefix}"
        return Destination(topic, name, f"start `loyalty up` here, or set LOYALTY_KAFKA (now {ingest.kafka})")
    if not key and not wish.dry_run:
        raise ImportMisused("give an API key with --key or LOYALTY_KEY; `loyalty keys new` makes one")
    client = ServiceClient(url, key, concurrency=concurrency)
    remedy = "start `loyalty up` here, or set LOYALTY_MEMBERS_URL or LOYALTY_INGEST_URL"
    return Destination(Registrations(client, key=key) if wish.subject == "members" else Activities(client), url, remedy)


async def run_import(plan: Plan, files: Sequence[Path], to: Destination[P], *, quiet: bool) -> Ended:
    """Until the end, or SIGINT or SIGTERM; a second signal ends it where it stands."""
    began, trouble = time.monotonic(), ""
    with display(len(files), quiet=quiet or not sys.stderr.isatty()) as shown:
        chosen: Target[P] = Rehearsal(to.target) if plan.rehearsal else to.target
        running = Import(plan, chosen, shown, system_clock)
        loop = asyncio.get_running_loop()

        def stop(number: signal.Signals) -> None:
            loop.remove_signal_handler(number)
            shown.note(f"{number.name}: ending behind what was read already")
            running.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            await running.run(files)
        except ImportMisused as misused:
            trouble = str(misused)
        except NotReady as missing:
            trouble = missing.reason
        except Transient as away:
            trouble = f"{away}: {to.remedy}; then run the same command again, and it goes on"
    return Ended(
        outcomes=running.outcomes,
        seconds=time.monotonic() - began,
        unknown_fields=to.target.unknown_fields,
        interrupted=running.is_stopped,
        trouble=trouble,
    )
