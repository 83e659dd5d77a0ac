"""`loyalty explain`: what became of a checkout, and why it gave what it gave."""

import asyncio
import json
from typing import Annotated, Any
from uuid import UUID

import httpx
import typer
from rich.console import Console

from services.ops.commands.member import service_url
from services.ops.explanation import narrate
from services.ops.session import FOUND

EPILOG = "Example: loyalty explain 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01"
TIMEOUT_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    app.command("explain", epilog=EPILOG)(explain)


def explain(
    event_id: Annotated[UUID, typer.Argument(metavar="EVENT_ID", help="The id that the door answered with.")],
    key: Annotated[
        str, typer.Option(envvar="LOYALTY_KEY", help="An API key with checkouts:read and points:read.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Join the door's outcome with the ledger's facts: rule, version, line, lot, and what happened later.

    Exit code 0: explained; 1: neither the door nor the books know the event.
    """
    found = asyncio.run(ask(str(event_id), key))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        narrate(found, Console())
    if found["outcome"] is None and found["explanation"] is None:
        raise typer.Exit(FOUND)


async def ask(event_id: str, key: str) -> dict[str, Any]:
    """`outcome` from ingest and `explanation` from the ledger, null where one does not know the event."""
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        outcome = await _get(client, f"{service_url('ingest')}/v1/checkouts/{event_id}")
        explanation = await _get(client, f"{service_url('ledger')}/v1/explain/{event_id}")
    return {"event_id": event_id, "outcome": outcome, "explanation": explanation}


async def _get(client: httpx.AsyncClient, url: str) -> Any:
    try:
        answer = await client.get(url)
    except httpx.TransportError as error:
        typer.echo(f"loyalty: {url} does not answer ({type(error).__name__})", err=True)
        raise typer.Exit(2) from None
    if answer.status_code == 404:
        return None
    if answer.is_error:
        typer.echo(f"loyalty: {url} answered {answer.status_code}: {answer.text[:300]}", err=True)
        raise typer.Exit(2)
    return answer.json()
