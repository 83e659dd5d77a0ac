"""`loyalty conflicts`: checkouts that came twice under one identity and not alike, until a person decides."""

import dataclasses
import json
from typing import Annotated, Literal
from uuid import UUID

import typer
from rich.console import Console

from services.ingest.application.deciding import ConflictUnknown, DecidedOtherwise, MembersConflict, Ruling, Verdict
from services.ops.conflict_views import pair_document, show_list, show_pair
from services.ops.session import missed, misused, run

TEXT_MAX = 200
INSTEAD = (
    "the same sale with another member is no second sale. Close it with --keep-first; if the points are the other "
    "member's, the till takes the sale back (a return, or a void) and sells it again under a number of its own. One "
    "that is still unclaimed is given to a member by POST /v1/checkouts/EVENT_ID/claim"
)
EVENT_ID = Annotated[UUID, typer.Argument(metavar="EVENT_ID", help="Of the checkout, as `conflicts ls` shows it.")]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    conflicts = typer.Typer(help="One identity, two checkouts: listed, shown, decided.", no_args_is_help=True)
    conflicts.command("ls", epilog="Example: loyalty conflicts ls --state all --limit 20")(ls)
    conflicts.command("show", epilog="Example: loyalty conflicts show 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01")(show)
    conflicts.command(
        "decide",
        epilog="Example: loyalty conflicts decide 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01 "
        "--accept-second --by ann --why 'the till began again at 1'",
    )(decide)
    app.add_typer(conflicts, name="conflicts")


def ls(
    state: Annotated[Literal["open", "decided", "all"], typer.Option()] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    before: Annotated[UUID | None, typer.Option(metavar="EVENT_ID", help="Older ones than this.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """List checkouts whose identity came again with another content or another member, the newest last."""
    from services.ops.conflicts import list_conflicts

    found = run(list_conflicts(state, limit, before))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in found], default=str))
    else:
        show_list(found, Console())


def show(
    event_id: EVENT_ID,
    payload: Annotated[
        bool, typer.Option("--payload", help="All that the till sent, which may name a person.")
    ] = False,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who opens it; it is noted.")] = "",
    as_json: AS_JSON = False,
) -> None:
    """Lay the first checkout and what came after it side by side: what was bought, what was paid, what was decided.

    Exit code 0: shown; 1: the door knows no conflict under this id.
    """
    from services.ops.conflicts import read_pair

    opened_by = _said("--by", by) if payload else None
    pair = run(read_pair(event_id, opened_by=opened_by))
    if pair is None:
        missed(f"no conflict under {event_id}; `loyalty conflicts ls --state all` lists them")
    if as_json:
        typer.echo(json.dumps(pair_document(pair), default=str, ensure_ascii=False))
    else:
        show_pair(pair, Console())


def decide(
    event_id: EVENT_ID,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decides this; published with the decision.")],
    why: Annotated[str, typer.Option(help="Published with the decision, so name nobody but yourself.")],
    fingerprint: Annotated[
        str, typer.Argument(metavar="[FINGERPRINT]", help="Or its beginning; needed where several are open.")
    ] = "",
    keep_first: Annotated[bool, typer.Option("--keep-first", help="What came later counts for nothing.")] = False,
    accept_second: Annotated[
        bool, typer.Option("--accept-second", help="It is a sale of its own, and gets an id of its own.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Decide a conflict. A second sale that is accepted goes the way of every checkout, under an id that is computed
    from the first one's and its content: deciding again changes nothing. Run it with the settings of ingest.

    Exit code 0: decided, or decided so before; 1: it cannot be, or was decided otherwise; 2: wrong use.
    """
    if keep_first == accept_second:
        misused("say which: --keep-first or --accept-second")
    verdict = Verdict.KEPT_FIRST if keep_first else Verdict.ACCEPTED_SECOND
    ruling = Ruling(verdict, _said("--by", by), _said("--why", why))
    stands = _decided(event_id, _hexadecimal(fingerprint), ruling)
    if as_json:
        typer.echo(json.dumps({"event_id": str(event_id)} | dataclasses.asdict(stands), default=str))
    elif stands.accepted_as is None:
        typer.echo(f"{event_id}: the first one stands, what came later counts for nothing")
    else:
        typer.echo(f"{event_id}: the second one is a checkout of its own, {stands.accepted_as}")


def _decided(event_id: UUID, fingerprint: str, ruling: Ruling) -> Ruling:
    from services.ops import conflicts

    try:
        return run(conflicts.decide(event_id, fingerprint, ruling))
    except ConflictUnknown:
        missed(f"no conflict under {event_id}" + (f" with {fingerprint}…" if fingerprint else ""))
    except MembersConflict:
        missed(INSTEAD)
    except DecidedOtherwise as refusal:
        missed(str(refusal))
    except conflicts.SeveralContents as refusal:
        misused(f"several contents came under {event_id}, name one: {', '.join(refusal.fingerprints)}")


def _said(option: str, given: str) -> str:
    said = given.strip()
    if not said or len(said) > TEXT_MAX or not said.isprintable():
        misused(f"{option} takes 1 to {TEXT_MAX} characters on one line")
    return said


def _hexadecimal(given: str) -> str:
    if not set(given.lower()) <= set("0123456789abcdef"):
        misused(f"{given} is no fingerprint; `loyalty conflicts show` tells them")
    return given.lower()
