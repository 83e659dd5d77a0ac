"""The members service in this process, over real PostgreSQL: its API through ASGI, its relay as a task."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import text

from services.members.__main__ import DEFINITION, api
from services.members.adapters.publication import MemberPublication
from services.members.settings import MembersSettings
from services.runtime.http.access import create_key
from services.runtime.http.app import create_app
from services.runtime.http.auth import Authenticator
from services.runtime.http.readiness import Readiness
from services.runtime.kafka.relay import Relay, StoredOutboxRow
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.key_files import write_key_file
from services.runtime.ports import Message
from services.runtime.postgres.engine import create_engine
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process import Context, system_clock

SCOPES = ("members:read", "members:write", "members:personal", "contacts:read")

LI: dict[str, Any] = {
    "identities": [{"kind": "card", "value": "880012345678"}, {"kind": "email", "value": "li@example.com"}],
    "name": "李雷",
    "locale": "zh-CN",
    "time_zone": "Asia/Shanghai",
    "birthday": {"calendar": "gregorian", "month": 2, "day": 29, "year": 1992},
    "consents": [{"purpose": "marketing", "channel": "email", "granted": True, "proof": {"source": "form 7"}}],
}
"""A registration as a till or an app sends it."""


@dataclass(frozen=True, slots=True)
class MembersService:
    """`client` speaks with all scopes; `owner` is the database as its login role sees it."""

    client: AsyncClient
    context: Context[MembersSettings]
    owner: Database

    async def write(self, method: str, path: str, body: Any, *, key: str | None = None) -> Response:
        """One write with an Idempotency-Key of its own, unless one is given."""
        headers = {"Idempotency-Key": key or str(uuid4())}
        return await self.client.request(method, path, json=body, headers=headers)

    async def register(self, **changes: Any) -> str:
        response = await self.write("POST", "/v1/members", LI | changes)
        assert response.status_code == 201, response.text
        return str(response.json()["member_id"])

    async def with_scopes(self, *scopes: str) -> dict[str, str]:
        key = await create_key(self.owner, owner="somebody", scopes=scopes)
        return {"Authorization": f"Bearer {key}"}

    async def unpublished(self) -> Sequence[Message]:
        """What the relay would send now."""
        async with self.context.database.read() as connection:
            stored = await connection.execute(text("SELECT id, topic, key, ref FROM outbox ORDER BY id"))
            rows = [StoredOutboxRow(*row) for row in stored]
            return await MemberPublication().resolve(connection, rows)

    async def relay_until_empty(self) -> None:
        stop = asyncio.Event()
        relay = Relay(
            service="members",
            kafka=self.context.kafka,
            database=self.context.database,
            source=MemberPublication(),
            clock=system_clock,
        )
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run(stop))
            while await self.unpublished():
                await asyncio.sleep(0.02)
            stop.set()


@asynccontextmanager
async def members_service(
    database_url: str, keys: Path, *, kafka: str = "127.0.0.1:1", topic_prefix: str = "t."
) -> AsyncIterator[MembersService]:
    for name in ("identity", "vault", "seal"):
        if not (keys / name).exists():
            write_key_file(keys / name)
    settings = MembersSettings.load(
        "members",
        identity_key_file=keys / "identity",
        vault_key_file=keys / "vault",
        seal_key_file=keys / "seal",
    )
    database = Database(create_engine(database_url, role="loyalty_members", schema="members"))
    owner = Database(create_engine(database_url, role=None, schema="members"))
    context = Context(settings=settings, database=database, kafka=KafkaSettings(kafka, topic_prefix))
    try:
        async with _client(context, await create_key(owner, owner="shop", scopes=SCOPES)) as client:
            yield MembersService(client, context, owner)
    finally:
        await database.dispose()
        await owner.dispose()


def _client(context: Context[MembersSettings], key: str) -> AsyncClient:
    assert DEFINITION.api is not None
    served = api(context)
    app = create_app(
        title=DEFINITION.name,
        routers=served.routers,
        readiness=Readiness(),
        authenticator=Authenticator(context.database),
        refusals=served.refusals,
        metrics=context.metrics,
    )
    return AsyncClient(
        transport=ASGITransport(app), base_url="http://members", headers={"Authorization": f"Bearer {key}"}
    )
