"""`loyalty programme`: the rules as a file, looked at and published."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from services.ops.session import FOUND, misused
from services.programme.adapters.reading import read_document
from services.programme.application import Source, check_alone
from services.programme.domain.findings import Finding, spelled

FILE_BYTES_MAX = 1024 * 1024
URL_VARIABLE, KEY_VARIABLE = "LOYALTY_PROGRAMME_URL", "LOYALTY_KEY"
TIMEOUT_SECONDS = 30.0

File = Annotated[Path, typer.Argument(help="YAML, or JSON where its name ends in .json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Url = Annotated[str, typer.Option(envvar=URL_VARIABLE, help="Where the programme service answers.")]
Key = Annotated[str, typer.Option(envvar=KEY_VARIABLE, help="An API key with the scope programme:write.")]
Replaces = Annotated[
    int, typer.Option("--replaces", help="The newest version that you know; 0 = there is none.", min=0)
]


def register(app: typer.Typer) -> None:
    programme = typer.Typer(help="Check and publish the rules of the programme.", no_args_is_help=True)
    programme.command("check", epilog="Example: loyalty programme check deploy/programmes/example.yaml")(check)
    programme.command("publish", epilog="Example: loyalty programme publish rules.yaml --replaces 3")(publish)
    app.add_typer(programme, name="programme")


def check(file: File, as_json: Json = False) -> None:
    """Say what is wrong or odd in a programme file, where, and what to do; needs no service."""
    found = [_entry(each) for each in check_alone(read_document(_source(file)))]
    publishable = all(entry["severity"] != "error" for entry in found)
    if as_json:
        typer.echo(json.dumps({"file": str(file), "publishable": publishable, "findings": found}, ensure_ascii=False))
    else:
        _print_findings(file, found)
        typer.echo(f"{file}: " + (_count(found) if found else "nothing to complain about"))
    if not publishable:
        raise typer.Exit(FOUND)


def publish(
    file: File,
    replaces: Replaces = 0,
    key: Key = "",
    url: Url = "http://127.0.0.1:8106",
    as_json: Json = False,
) -> None:
    """Make a file the newest version of the programme; a published version is never edited."""
    if not key:
        misused(f"no API key: pass --key or set {KEY_VARIABLE}")
    source = _source(file)
    answer = asyncio.run(_post(url, key, source, replaces))
    body = _body_of(answer)
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False))
    if answer.status_code != 201:
        _explain(file, answer.status_code, body, quiet=as_json)
        raise typer.Exit(FOUND)
    if not as_json:
        _print_findings(file, [entry | {"severity": "warning"} for entry in body["warnings"]])
        typer.echo(f"published version {body['version']}; it starts at {body['starts_at']}")


def _source(file: Path) -> Source:
    try:
        # A wrong file name should not read a whole database dump into memory.
        if os.path.getsize(file) > FILE_BYTES_MAX:
            misused(f"{file} is larger than {FILE_BYTES_MAX} bytes: that is no programme")
        return Source(file.read_bytes(), is_json=file.suffix.lower() == ".json")
    except OSError as error:
        misused(f"{file} cannot be read: {error.strerror}")


async def _post(url: str, key: str, source: Source, replaces: int) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json" if source.is_json else "application/yaml",
        # The same file for the same number is the same wish, however often the command runs.
        "Idempotency-Key": hashlib.sha256(f"{replaces}\n".encode() + source.text).hexdigest(),
    }
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=TIMEOUT_SECONDS) as client:
            return await client.post("/v1/programme/versions", content=source.text, params={"replaces": replaces})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        misused(f"the programme service at {url} does not answer: {error}; set {URL_VARIABLE} or start `loyalty up`")


def _body_of(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"code": "no_answer", "detail": f"HTTP {answer.status_code}"}


def _explain(file: Path, status: int, body: dict[str, Any], *, quiet: bool) -> None:
    if quiet:
        return
    for severity in ("error", "warning"):
        entries = body.get(f"{severity}s")
        _print_findings(file, [each | {"severity": severity} for each in entries or () if "path" in each])
    typer.echo(f"not published: {body.get('detail') or body.get('code', status)}", err=True)


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "path": spelled(finding.path),
        "line": finding.line,
        "code": finding.code,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _print_findings(file: Path, found: list[dict[str, Any]]) -> None:
    for entry in found:
        place = f"{file}:{entry['line']}" if entry["line"] else str(file)
        typer.echo(f"{place}: {entry['severity']} {entry['code']} at {entry['path']}: {entry['message']}")
        typer.echo(f"    → {entry['remedy']}")


def _count(found: list[dict[str, Any]]) -> str:
    errors = sum(entry["severity"] == "error" for entry in found)
    return f"{errors} errors, {len(found) - errors} warnings"
