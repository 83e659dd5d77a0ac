"""`loyalty republish`: the stored facts of a key on their way out once more."""

import json
from typing import Annotated
from uuid import UUID

import typer

from services.ops.session import missed, misused, run
from services.ops.topic_table import topic_table
from services.runtime.kafka.republish import FactsOfKey, republish

EPILOG = "Example: loyalty republish points 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01"


def register(app: typer.Typer) -> None:
    app.command("republish", epilog=EPILOG)(send_again)


def send_again(
    topic: Annotated[str, typer.Argument(help="Its name without the deployment's prefix.")],
    key: Annotated[str, typer.Argument(help="A member's id; for outcomes the event's; for the programme `programme`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Send a key's stored facts again, in their order, by the relay of the service that owns them.

    For a reader that lost what it had read. All others skip them, by number and hash or by id.
    Exit code 0: they are in the outbox; 1: there is no fact of this key.
    """
    rows = run(_republish(_owners(topic), topic, _spelled(topic, key)))
    if not any(rows.values()):
        missed(f"no fact of {key} was ever written for {topic}")
    if as_json:
        typer.echo(json.dumps({"topic": topic, "key": key, "facts": rows}))
        return
    for service, count in rows.items():
        if count:
            typer.echo(f"{count:,} facts are in the outbox of {service}; its relay sends them again")


async def _republish(owners: list[str], topic: str, key: str) -> dict[str, int]:
    from services.ops.acting_service import acting_as

    rows: dict[str, int] = {}
    for service in owners:
        async with acting_as(service) as acting:
            make = acting.definition.outbox_source
            source = make(acting.context) if make else None
            assert isinstance(source, FactsOfKey), f"{service} writes {topic} and cannot send it again"
            async with acting.context.database.begin() as uow:
                rows[service] = await republish(uow, source, topic, key)
    return rows


def _owners(topic: str) -> list[str]:
    row = topic_table().get(topic)
    if row is None:
        misused(f"there is no topic {topic}; there are {', '.join(topic_table())}")
    if "till" in row["producers"]:
        misused(f"{topic} is what tills say, and not kept to be sent again: the till sends it again, which is safe")
    return list(row["producers"])


def _spelled(topic: str, key: str) -> str:
    kind = topic_table()[topic]["key"]
    if not kind.endswith("_id"):
        return key
    try:
        return str(UUID(key))
    except ValueError:
        misused(f"the keys of {topic} are ids such as 3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01, and {key} is none")
