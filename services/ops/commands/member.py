"""`loyalty member`: one member as members, ledger and tiering know them."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.console import Console
from rich.table import Table

from services.ops.session import misused
from services.runtime.settings import PORTS

FINE, FOUND, MISUSED = 0, 1, 2
TIMEOUT_SECONDS = 5.0
_PATHS: Mapping[str, str] = MappingProxyType({"members": "", "ledger": "/balances", "tiering": "/tier"})


@dataclass(frozen=True, slots=True)
class Heard:
    """What one service answered: a document, or why there is none."""

    document: dict[str, Any] | None = None
    problem: str = ""
    status: int = 0

    def as_json(self) -> dict[str, Any]:
        return self.document if self.document is not None else {"unavailable": self.problem}


def register(app: typer.Typer) -> None:
    member = typer.Typer(help="What is known of a member.", no_args_is_help=True)
    # Without a callback Typer would turn a single command into the group itself.
    member.callback()(_group)
    member.command("show", epilog="Example: loyalty member show 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01")(show)
    app.add_typer(member, name="member")


def _group() -> None:
    """What is known of a member."""


def show(
    member_id: Annotated[str, typer.Argument(metavar="ID", help="The member's id.")],
    key: Annotated[
        str, typer.Option(envvar="LOYALTY_KEY", help="An API key with members:read, points:read and tiers:read.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show profile, balances and tier; a service that is away is named, and the others are shown.

    Exit code 0: all answered; 1: somebody did not, or does not know the member; 2: wrong use.
    """
    member = _member_id(member_id)
    if not key:
        misused("give an API key with --key or LOYALTY_KEY; `loyalty keys new` makes one")
    heard = settled(asyncio.run(ask_all(member, key)))
    if as_json:
        typer.echo(json.dumps({"member_id": member} | {name: each.as_json() for name, each in heard.items()}))
    else:
        _print(member, heard)
    raise typer.Exit(exit_code(heard))


async def ask_all(member: str, key: str) -> dict[str, Heard]:
    """Every service at once, so that one that hangs costs its time-out and no more."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        answers = await asyncio.gather(*(_ask(client, name, member) for name in _PATHS))
    return dict(zip(_PATHS, answers, strict=True))


def exit_code(heard: Mapping[str, Heard]) -> int:
    if any(each.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) for each in heard.values()):
        return MISUSED
    return FINE if all(each.document is not None for each in heard.values()) else FOUND


def settled(heard: dict[str, Heard]) -> dict[str, Heard]:
    """Who is registered and has bought nothing is unknown to ledger and tiering, which is no fault of theirs."""
    if heard["members"].document is None:
        return heard
    return {name: Heard(document={}) if each.status == httpx.codes.NOT_FOUND else each for name, each in heard.items()}


def service_url(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """`LOYALTY_<SERVICE>_URL`, else the host and port that the service itself would take."""
    prefix = f"LOYALTY_{name.upper()}"
    host = environment.get("LOYALTY_HOST", "127.0.0.1")
    local = f"http://{host}:{environment.get(f'{prefix}_PORT', PORTS[name])}"
    return environment.get(f"{prefix}_URL", local).rstrip("/")


def identity_kinds(identities: Sequence[Mapping[str, Any]]) -> str:
    """`member` once, although every member goes by an id and by a number."""
    counts = Counter(each["kind"] for each in identities)
    return ", ".join(kind if count == 1 or kind == "member" else f"{count} × {kind}" for kind, count in counts.items())


def tier_lines(tier: Mapping[str, Any]) -> Iterator[str]:
    """The tier now and what was decided about it, each with what is missing to keep it; then what reaches the next."""
    yield f"tier {_named(tier.get('tier'))}{_until(tier)}"
    if tier.get("evaluation_pending"):
        yield "  its period is over and will be judged as soon as all sales of it are read"
    unit = (tier.get("metric") or {}).get("unit", "")
    yield from _kept(tier, unit)
    if upcoming := tier.get("upcoming"):
        yield f"from {upcoming['effective_from']} on {_named(upcoming['tier'])}{_until(upcoming)}"
        yield from _kept(upcoming, unit)
    if above := tier.get("next"):
        yield f"  to reach {_named(above['tier'])}: {_missing(above, unit)}"


async def _ask(client: httpx.AsyncClient, name: str, member: str) -> Heard:
    url = f"{service_url(name)}/v1/members/{member}{_PATHS[name]}"
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        return Heard(problem=f"{name} does not answer at {service_url(name)}: {type(error).__name__}")
    try:
        document = response.json()
    except ValueError:
        return Heard(problem=f"{name} answers {response.status_code} without JSON", status=response.status_code)
    if response.is_success:
        return Heard(document=document, status=response.status_code)
    return Heard(problem=f"{name} says {_said(document, response.status_code)}", status=response.status_code)


def _said(problem: Any, status: int) -> str:
    code = problem.get("code", status) if isinstance(problem, dict) else status
    detail = problem.get("detail", "") if isinstance(problem, dict) else ""
    return f"{code}: {detail}" if detail else str(code)


def _member_id(given: str) -> str:
    try:
        return str(UUID(given))
    except ValueError:
        misused(f"{given!r} is no member id; it looks like 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01")


def _print(member: str, heard: Mapping[str, Heard]) -> None:
    console = Console(highlight=False)
    console.print(f"member {member}")
    for name, each in heard.items():
        if each.document is None:
            console.print(f"{name}: [yellow]{each.problem}[/yellow]", markup=True)
        else:
            _TABLES[name](console, each.document)


def _profile(console: Console, member: Mapping[str, Any]) -> None:
    personal = member.get("personal") or {}
    table = Table("", "", show_header=False, box=None)
    rows = {
        "name": personal.get("name"),
        "status": member["status"],
        "joined": member["joined_at"],
        "version": member["version"],
        "locale": member["locale"],
        "time zone": member["time_zone"],
        "birthday": _birthday(member.get("birthday")),
        "identities": identity_kinds(member["identities"]),
        "consents": ", ".join(_consent(each) for each in member["consents"]),
    }
    for label, value in rows.items():
        table.add_row(label, "-" if value in (None, "") else str(value))
    console.print(table)


def _balances(console: Console, balances: Mapping[str, Any]) -> None:
    table = Table("unit", "available", "pending", "held", "debt", "spent", "expired")
    for unit, counts in balances.get("units", {}).items():
        table.add_row(unit, *(str(counts.get(bucket.header, 0)) for bucket in table.columns[1:]))
    console.print(table if table.row_count else "ledger: no points yet")


def _tier(console: Console, tier: Mapping[str, Any]) -> None:
    for line in tier_lines(tier):
        console.print(line)


def _named(level: Mapping[str, Any] | None) -> str:
    return (level or {}).get("id") or "base"


def _until(document: Mapping[str, Any]) -> str:
    return f", valid until {document['valid_until']}" if document.get("valid_until") else ""


def _kept(document: Mapping[str, Any], unit: str) -> Iterator[str]:
    if keep := document.get("keep"):
        yield f"  to keep it: {_missing(keep, unit)}"


def _missing(part: Mapping[str, Any], unit: str) -> str:
    span = f" from {part['counts_from']} until {part['until']}" if part["until"] else ""
    return f"{part['missing']} of {part['needed']} {unit} missing, counted{span or ' for ever'}"


def _birthday(birthday: Mapping[str, Any] | None) -> str:
    if birthday is None:
        return ""
    calendar = "" if birthday["calendar"] == "gregorian" else f" ({birthday['calendar']})"
    return f"{birthday['month']:02}-{birthday['day']:02}{calendar}"


def _consent(consent: Mapping[str, Any]) -> str:
    return f"{consent['purpose']} by {consent['channel']}: {'yes' if consent['granted'] else 'no'}"


_TABLES: Mapping[str, Callable[[Console, Mapping[str, Any]], None]] = MappingProxyType(
    {"members": _profile, "ledger": _balances, "tiering": _tier}
)
