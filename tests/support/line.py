"""The whole platform as processes on the run's broker and database, and a till, an app and a marketer before it."""

import asyncio
import contextlib
import itertools
import json
import secrets
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import text

from services.ops.stack.local import LocalStack, StackOptions
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Message, Record
from services.runtime.postgres.engine import create_engine
from tests.support.programmes import EXAMPLE

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 45.0
LOOK_SECONDS = 0.05
STORE = "0457"
PROGRAMME = EXAMPLE.read_bytes().replace(b"benefits_start: next_day", b"benefits_start: immediately")
"""The example, with tiers that are worth something on the day on which they are reached."""

T = TypeVar("T")


class Line:
    """Every service of one stack, over HTTP with a key for everything, and its topics."""

    def __init__(self, stack: LocalStack, kafka: KafkaSettings, logs: Path) -> None:
        self.stack = stack
        self.kafka = kafka
        self.logs = logs
        self.sequence = itertools.count(1)
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        self.http = httpx.AsyncClient(headers=headers, timeout=30, trust_env=False)

    async def write(self, method: str, service: str, path: str, **content: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4()), **content.pop("headers", {})}
        answer = await self.http.request(method, self.stack.url(service) + path, headers=headers, **content)
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def read(self, service: str, path: str) -> dict[str, Any] | None:
        """None where there is nothing (yet)."""
        answer = await self.http.get(self.stack.url(service) + path)
        if answer.status_code == 404:
            return None
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def publish_programme(self) -> None:
        headers = {"Content-Type": "application/yaml"}
        await self.write("POST", "programme", "/v1/programme/versions?replaces=0", content=PROGRAMME, headers=headers)

    async def register(self, card: str, **changes: Any) -> str:
        person = {
            "identities": [{"kind": "card", "value": card}, {"kind": "email", "value": address_of(card)}],
            "name": "李雷",
            "locale": "zh-CN",
            "time_zone": "Asia/Shanghai",
            "consents": [consent(granted=True)],
        }
        return str((await self.write("POST", "members", "/v1/members", json=person | changes))["member_id"])

    async def consent(self, member_id: str, *, granted: bool) -> None:
        body = {"consents": [consent(granted=granted)]}
        await self.write("PUT", "members", f"/v1/members/{member_id}/consents", json=body)

    def checkout(self, card: str, net: int, **changes: Any) -> dict[str, Any]:
        """A sale of now; `net` in fen."""
        now = datetime.now(UTC)
        return {
            "source": "pos.acme",
            "store": STORE,
            "terminal": "03",
            "business_day": now.date().isoformat(),
            "sequence": next(self.sequence),
            "kind": "sale",
            "occurred_at": now.isoformat(),
            "currency": "CNY",
            "member": {"kind": "card", "value": card},
            "lines": [{"line": 1, "sku": "cake-m", "category": "food/cake", "net": net}],
            "tenders": [{"type": "card", "amount": net}],
        } | changes

    async def sell(self, checkout: dict[str, Any]) -> str:
        answer = await self.http.post(f"{self.stack.url('ingest')}/v1/checkouts", json=checkout)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["event_id"])

    async def send(self, *messages: Message) -> None:
        publisher = KafkaPublisher(self.kafka)
        await publisher.start()
        try:
            await publisher.send_many(messages)
        finally:
            await publisher.stop()

    async def records(self, topic: str) -> list[Record[bytes | None]]:
        return [record async for batch in read_topic(self.kafka, topic) for record in batch]

    async def facts_of(self, topic: str, key: str) -> list[bytes | None]:
        return [record.value for record in await self.records(topic) if record.key == key]

    async def outcome(self, event_id: str, outcome: str = "accepted") -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            found = await self.read("ingest", f"/v1/checkouts/{event_id}")
            return found if found and found["outcome"] == outcome else None

        return await self.eventually(ask)

    async def explained(self, event_id: str) -> dict[str, Any]:
        return await self.eventually(lambda: self.read("ledger", f"/v1/explain/{event_id}"))

    async def points(self, member_id: str) -> int:
        balances = await self.read("ledger", f"/v1/members/{member_id}/balances")
        return int(balances["units"].get("points", {"available": 0})["available"]) if balances else 0

    async def until_points(self, member_id: str, points: int) -> None:
        async def reached() -> bool | None:
            return await self.points(member_id) >= points or None

        await self.eventually(reached)
        assert await self.points(member_id) == points

    async def until_tier(self, member_id: str, tier: str) -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            found = await self.read("tiering", f"/v1/members/{member_id}/tier")
            return found if found and found["tier"]["id"] == tier else None

        return await self.eventually(ask)

    async def until_tier_applied(self, member_id: str) -> None:
        async def ask() -> bool | None:
            page = await self.read("ledger", f"/v1/members/{member_id}/entries")
            return any(entry["fact"]["type"] == "tier_applied" for entry in page["entries"]) or None if page else None

        await self.eventually(ask)

    async def until_message(self, member_id: str, fate: str) -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            found = await self.read("notifier", f"/v1/members/{member_id}/messages")
            return next((each for each in found["messages"] if each["fate"] == fate), None) if found else None

        return await self.eventually(ask)

    async def until_ready(self, service: str, *, not_pid: int | None) -> None:
        process = self.stack.services[service]

        async def up() -> bool | None:
            if process.pid in (None, not_pid):
                return None
            with contextlib.suppress(httpx.TransportError):
                return (await self.http.get(f"{process.url}/readyz")).status_code == 200 or None
            return None

        await self.eventually(up)

    async def eventually(self, ask: Callable[[], Awaitable[T | None]]) -> T:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (answer := await ask()) is None:
                await asyncio.sleep(LOOK_SECONDS)
        return answer

    async def query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Where a state has no path: as the owner of the database, in any schema."""
        engine = create_engine(self.stack.database_url, role=None, schema="public", pool_size=1)
        try:
            async with engine.connect() as connection:
                return [tuple(row) for row in await connection.execute(text(sql), parameters)]
        finally:
            await engine.dispose()

    async def loyalty(self, *arguments: str) -> dict[str, Any]:
        """A command with --json, which must end well."""
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.ops", *arguments, "--json",
            cwd=ROOT, env=self.stack.env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await command.communicate()
        assert command.returncode == 0, (out + error).decode()
        document: dict[str, Any] = json.loads(out)
        return document


@asynccontextmanager
async def running_line(*, kafka: str, topic_prefix: str, database_url: str, state_dir: Path) -> AsyncIterator[Line]:
    """All services as processes; entered and left by one task, as the stack asks."""
    options = StackOptions(
        state_dir=state_dir, free_service_ports=True, topic_prefix=topic_prefix, example_programme=False
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOYALTY_KAFKA", kafka)
        environment.setenv("LOYALTY_DATABASE_URL", database_url)
        environment.delenv("LOYALTY_SMTP_HOST", raising=False)
        async with LocalStack(options) as stack:
            line = Line(stack, KafkaSettings(kafka, topic_prefix), state_dir / "logs")
            try:
                yield line
            finally:
                await line.http.aclose()


def new_card() -> str:
    return f"88{secrets.randbelow(10**10):010}"


def address_of(card: str) -> str:
    return f"m{card}@example.com"


def consent(*, granted: bool) -> dict[str, Any]:
    return {"purpose": "marketing", "channel": "email", "granted": granted, "proof": {"source": "form 7"}}
