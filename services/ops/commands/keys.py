"""`loyalty keys`: API keys, and the key files that live outside the database."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.ops.session import FOUND, MISUSED, database, run
from services.runtime.http.access import ListedKey, create_key, list_keys, revoke_key
from services.runtime.key_files import write_key_file

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    keys = typer.Typer(help="API keys of tills, apps and operators; key files.", no_args_is_help=True)
    keys.command("new", epilog="Example: loyalty keys new --owner till-0457 --scope checkouts:write --source pos.acme")(
        new
    )
    keys.command("revoke", epilog="Example: loyalty keys revoke 5f0c1a2b3d4e")(revoke)
    keys.command("ls", epilog="Example: loyalty keys ls --json")(ls)
    keys.command("file", epilog="Example: loyalty keys file /etc/loyalty/seal.key")(file)
    app.add_typer(keys, name="keys")


def new(
    owner: Annotated[str, typer.Option(help="Whom the key stands for; facts name it.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as checkouts:write; may be repeated.")],
    source: Annotated[list[str] | None, typer.Option(help="Which sources it may write; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, the only time that it is seen."""
    key = run(_new(owner, scope, source or []))
    if as_json:
        typer.echo(json.dumps({"key": key, "owner": owner, "scopes": scope, "sources": source or []}))
        return
    typer.echo(key)
    typer.echo(f"made for {owner} with {', '.join(scope)}; it is not kept, so note it now", err=True)


def revoke(
    key_id: Annotated[str, typer.Argument(help="The middle part of lk_<id>_<secret>.")], as_json: Json = False
) -> None:
    """Take a key back; services forget it within 30 seconds."""
    revoked = run(_revoke(_id_of(key_id)))
    if as_json:
        typer.echo(json.dumps({"id": _id_of(key_id), "revoked": revoked}))
    else:
        typer.echo(f"{_id_of(key_id)} is revoked" if revoked else f"no key {_id_of(key_id)} is in use", err=not revoked)
    if not revoked:
        raise typer.Exit(FOUND)


def ls(as_json: Json = False) -> None:
    """List keys; secrets are nowhere."""
    keys = run(_list())
    if as_json:
        typer.echo(json.dumps([asdict(key) for key in keys], default=str))
    else:
        Console().print(_table(keys))


def file(path: Path, as_json: Json = False) -> None:
    """Write a new 32-byte key file, for its owner's eyes only; one that is there is left alone."""
    try:
        write_key_file(path)
    except FileExistsError:
        typer.echo(f"loyalty: {path} is there already and was left alone", err=True)
        raise typer.Exit(MISUSED) from None
    typer.echo(json.dumps({"file": str(path)}) if as_json else f"wrote {path}; back it up: what it encrypts needs it")


async def _new(owner: str, scopes: list[str], sources: list[str]) -> str:
    async with database("access") as opened:
        return await create_key(opened, owner=owner, scopes=scopes, sources=sources)


async def _revoke(key_id: str) -> bool:
    async with database("access") as opened:
        return await revoke_key(opened, key_id)


async def _list() -> list[ListedKey]:
    async with database("access") as opened:
        return await list_keys(opened)


def _id_of(given: str) -> str:
    parts = given.split("_", 2)
    return parts[1] if parts[0] == "lk" and len(parts) > 1 else given


def _table(keys: list[ListedKey]) -> Table:
    table = Table("id", "owner", "scopes", "sources", "created", "revoked")
    for key in keys:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        scopes, sources = " ".join(key.scopes), " ".join(key.sources)
        table.add_row(key.id, key.owner, scopes, sources, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    return table
