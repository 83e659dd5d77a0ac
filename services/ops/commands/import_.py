"""`loyalty import`: checkouts, members and activities from files."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from services.ops.commands.member import service_url
from services.ops.importing.columns import Subject, known_columns
from services.ops.importing.found import Again, Format, ImportMisused
from services.ops.importing.outcome import Ended
from services.ops.importing.showing import as_document, summary
from services.ops.importing.values import Amounts
from services.ops.session import FOUND, MISUSED, misused
from services.runtime.settings import SettingsError

INTERRUPTED = 130
EPILOG = "Example: loyalty import checkouts march.csv --map columns.yaml --time-zone Asia/Shanghai --dry-run"
HELP = f"""Take in checkouts, members or activities from NDJSON, CSV or Parquet, in a stream, each once.

Checkouts go straight to the topic `checkouts` (LOYALTY_KAFKA), checked by the contract as POST /v1/checkouts checks
them; the door judges them afterwards. Members and activities go over HTTP (LOYALTY_MEMBERS_URL, LOYALTY_INGEST_URL,
key in LOYALTY_KEY with members:write and members:read, or activities:write). Importing a file again changes nothing:
checkouts and activities have ids of their own, and a member is registered once for each external id or identity.

NDJSON holds one document per line, Parquet the same, nested, or a flat table as CSV. An import that was interrupted
goes on behind the last batch that was acknowledged.

Exit code 0: all are in; 1: some records were rejected; 2: wrong use, or the other side is away; 130: interrupted.

Columns of checkouts, one row per line of the receipt, the rows of one checkout together: {known_columns("checkouts")}.
What a checkout says once may stand in its first row alone. A row with tender_amount is a tender too; rows with the same
number in `tender` mean the same one; without a column tender_amount one tender paid for all. What tells one
checkout from another stands in every row: source, store, terminal, business_day, sequence, kind.

Columns of members: {known_columns("members")}.

Columns of activities: {known_columns("activities")}.
"""

_SERVICES: dict[Subject, str] = {"checkouts": "ingest", "activities": "ingest", "members": "members"}

Key = Annotated[str, typer.Option(envvar="LOYALTY_KEY", help="An API key, for members and activities.")]


def register(app: typer.Typer) -> None:
    app.command("import", epilog=EPILOG, help=_flowing(HELP))(import_files)


def import_files(
    subject: Annotated[Subject, typer.Argument(metavar="SUBJECT", help="checkouts, members or activities")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="- is standard input.")],
    file_format: Annotated[Format | None, typer.Option("--format", help="Where the name does not tell it.")] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", help="YAML with columns (ours: theirs), constants and values.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of CSV, \\t is a tab; else found out from the header.")] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV, for example gb18030.")] = "utf-8",
    amounts: Annotated[
        Amounts, typer.Option(help="Of tables: 1450, 14.50 or 14,50; decimals are converted exactly.")
    ] = "minor",
    time_zone: Annotated[str | None, typer.Option(help="Of times in tables that have no offset.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every record and send nothing.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rejected records are added, with reasons; else .loyalty/imports.")
    ] = None,
    resume: Annotated[
        bool | None, typer.Option("--resume/--restart", help="Insist on going on, or begin anew.", show_default=False)
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests at once over HTTP.")] = 16,
    key: Key = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    from services.ops.importing.starting import Wish, destination, plan_of, run_import

    again: Again = "auto" if resume is None else "resume" if resume else "restart"
    wish = Wish(
        subject=subject,
        files=files,
        format=file_format,
        mapping=mapping,
        delimiter=delimiter,
        encoding=encoding,
        amounts=amounts,
        time_zone=time_zone,
        rejects=rejects,
        dry_run=dry_run,
        again=again,
    )
    try:
        to = destination(wish, url=service_url(_SERVICES[subject]), key=key, concurrency=concurrency)
        plan = plan_of(wish, to.name)
    except (ImportMisused, SettingsError) as refusal:
        misused(str(refusal))
    # The client tells every attempt; the person is told once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    ended = asyncio.run(run_import(plan, files, to, quiet=as_json))
    _tell(ended, subject, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(_exit_code(ended))


def _flowing(text: str) -> str:
    """Paragraphs of one line each: the terminal's width breaks them."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _tell(ended: Ended, subject: Subject, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_document(subject, ended, dry_run=dry_run), ensure_ascii=False))
    elif ended.outcomes:
        for line in summary(ended):
            typer.echo(line)
    if ended.trouble:
        typer.echo(f"loyalty: {ended.trouble}", err=True)
    elif ended.interrupted:
        typer.echo("loyalty: interrupted; the same command goes on from here", err=True)


def _exit_code(ended: Ended) -> int:
    if ended.trouble:
        return MISUSED
    if ended.interrupted:
        return INTERRUPTED
    return FOUND if any(each.rejected for each in ended.outcomes) else 0
