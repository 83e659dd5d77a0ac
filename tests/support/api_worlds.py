"""Every service listening on a port, each in a small world: what its paths, queries and bodies can speak of exists."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from schemas.members import IdentityDigest, MemberState
from schemas.programme import ProgrammeDocument
from services.runtime.digests import normalise
from services.runtime.http.access import create_key
from services.runtime.kafka.topics import apply_topics
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message
from tests.support import ledger, members, notifier, points_streams, programmes, till
from tests.support.disconnected import definition_of
from tests.support.running_services import RunningService, running_service
from tests.support.tiering_worlds import at

NOW = datetime(2026, 6, 11, 2, tzinfo=UTC)
MEMBERS = 12
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"

Known = Sequence[dict[str, str]]
Bodies = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class World:
    """`key` may do everything, `weak_key` nothing.

    `known`: values of path and query parameters that belong together. `bodies`: by method and path, what is accepted.
    """

    running: RunningService
    url: str
    key: str
    weak_key: str
    known: Known
    bodies: Bodies


@asynccontextmanager
async def listening_world(
    service: str, *, kafka: str, topic_prefix: str, database_url: str, keys: Path
) -> AsyncIterator[World]:
    files = {name: keys / name for name in ("identity_key_file", "vault_key_file")}
    for file in files.values():
        write_key_file(file)
    async with running_service(
        definition_of(service),
        database_url=database_url,
        keys=keys,
        kafka=kafka,
        topic_prefix=topic_prefix,
        clock=lambda: NOW,
        **files,
    ) as running:
        known, bodies = await _PEOPLED[service](running)
        async with _publishing(running), running.listening() as url:
            key = await create_key(running.owner, owner="ann", scopes=["*"], sources=["*"])
            weak_key = await create_key(running.owner, owner="bob", scopes=["nothing:at_all"])
            yield World(running, url, key, weak_key, known, bodies)


@asynccontextmanager
async def _publishing(running: RunningService) -> AsyncIterator[None]:
    if not running.definition.publishes:
        yield
        return
    await apply_topics(running.context.kafka, partitions=1)
    await running.context.publisher.start()
    try:
        yield
    finally:
        await running.context.publisher.stop()


async def _ingest(running: RunningService) -> tuple[Known, Bodies]:
    digest = running.context.digests.digest("card", normalise("card", "880012345678")).hex()
    member = MemberState(
        member_id=str(uuid4()),
        version=1,
        status="active",
        joined_at=NOW,
        recorded_at=NOW,
        identities=(IdentityDigest(kind="card", digest=digest),),
    )
    known = Message("members", member.member_id, member.model_dump_json().encode(), {})
    read = [json.loads(file.read_bytes()) for file in sorted((EXAMPLES / "checkouts").glob("*.json"))]
    checkouts = [checkout for checkout in read if checkout["currency"] == "CNY"]
    programme = points_streams.published(ProgrammeDocument.model_validate(till.P_WITH_REWARDS), at(2026, 1, 1))
    await running.take(
        programme, known, *(Message("checkouts", "k", json.dumps(each).encode(), {}) for each in checkouts)
    )
    events = await _ids(running, "SELECT event_id FROM checkout")
    card = {"kind": "card", "value": "880012345678"}
    activity = {"source": "app", "activity": "review", "reference": "r-1", "occurred_at": "2026-06-10T10:00:00Z"}
    bodies = {
        "POST /v1/checkouts": checkouts,
        "POST /v1/checkouts:batch": checkouts,
        "POST /v1/checkouts/{event_id}/claim": [{"member": card}],
        "POST /v1/activities": [activity | {"member": card}],
    }
    return [{"event_id": event} for event in events], bodies


async def _ledger(running: RunningService) -> tuple[Known, Bodies]:
    people = [ledger.new_member() for _ in range(MEMBERS)]
    sales = [ledger.purchase(person, 100_000) for person in people]
    await running.take(till.new_programme(), *sales)
    rows = []
    for person, sale in zip(people, sales, strict=True):
        spent = await running.client.post(
            f"/v1/members/{person}/redemptions", json=till.points(10), headers={"Idempotency-Key": "first"}
        )
        assert spent.status_code == 201, spent.text
        event = sale.headers["ce_id"]
        rows.append(
            {"member_id": person, "member": person, "event_id": event, "redemption_id": spent.json()["redemption_id"]}
        )
    wishes = [
        {"reward": "latte", "order": "R-1"},
        till.points(1),
        {"as_money": "half", "minor": 50, "basket_minor": 90},
    ]
    return rows, {
        "POST /v1/members/{member_id}/redemptions": wishes,
        "POST /v1/members/{member_id}/redemptions/{redemption_id}/cancel": [{}],
    }


async def _tiering(running: RunningService) -> tuple[Known, Bodies]:
    programme = points_streams.published(ProgrammeDocument.model_validate(programmes.SMALL), at(2026, 1, 1))
    streams = [points_streams.PointsStream() for _ in range(MEMBERS)]
    states = [points_streams.member(stream.member_id, at(2026, 1, 1)) for stream in streams]
    facts = [stream.fact(at(2026, month, 2), growth=2600) for month in (3, 5) for stream in streams]
    await running.take(programme, *states, *facts)
    return [{"member_id": stream.member_id, "cursor": "2"} for stream in streams], {}


async def _notifier(running: RunningService) -> tuple[Known, Bodies]:
    people = [notifier.new_member() for _ in range(MEMBERS)]
    programme = points_streams.published(notifier.programme(), at(2026, 1, 1))
    states = [points_streams.member(person, at(2026, 1, 1)) for person in people]
    changes = [notifier.tier_record(notifier.tier_changed(person, NOW)) for person in people]
    tiers = [Message("tiers", change.key or "", change.value, change.headers) for change in changes]
    await running.take(programme, *states, *tiers)
    return [{"member_id": person} for person in people], {}


async def _members(running: RunningService) -> tuple[Known, Bodies]:
    rows = []
    for number in range(MEMBERS):
        card = {"kind": "card", "value": f"8800{number:08}"}
        answer = await running.client.post(
            "/v1/members",
            json=members.LI | {"identities": [card]},
            headers={"Idempotency-Key": str(number)},
        )
        assert answer.status_code == 201, answer.text
        rows.append({"member_id": answer.json()["member_id"], "purpose": "marketing", "channel": "email"})
    member = "/v1/members/{member_id}"
    phone = {"kind": "phone", "value": "13800138000"}
    return rows, {
        "POST /v1/members": [members.LI],
        "POST /v1/identities:lookup": [{"kind": "card", "value": "880000000001"}, phone],
        f"PATCH {member}": [{"name": "韩梅梅", "birthday": {"month": 2, "day": 29, "year": 1992}, "locale": "en"}],
        f"POST {member}/identities": [{"identities": [phone, {"kind": "email", "value": "li@example.com"}]}],
        f"POST {member}/identities:remove": [phone],
        f"PUT {member}/consents": [{"consents": members.LI["consents"]}],
    }


async def _programme(running: RunningService) -> tuple[Known, Bodies]:
    for version in (1, 2):
        answer = await running.client.post(
            f"/v1/programme/versions?replaces={version - 1}",
            json=programmes.SMALL | {"version": version},
            headers={"Idempotency-Key": str(version)},
        )
        assert answer.status_code == 201, answer.text
    third = programmes.SMALL | {"version": 3}
    return [{"number": "1"}, {"number": "2"}], {
        "POST /v1/programme:check": [third],
        "POST /v1/programme/versions": [third],
    }


async def _ids(running: RunningService, sql: str) -> Sequence[str]:
    async with running.context.database.read() as connection:
        return [str(each) for each in await connection.scalars(text(sql))]


_PEOPLED: Mapping[str, Callable[[RunningService], Awaitable[tuple[Known, Bodies]]]] = MappingProxyType(
    {
        "ingest": _ingest,
        "ledger": _ledger,
        "members": _members,
        "notifier": _notifier,
        "programme": _programme,
        "tiering": _tiering,
    }
)
