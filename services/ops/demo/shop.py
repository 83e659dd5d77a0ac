"""The platform as a till, an app and a member see it: HTTP with a key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx

from services.ops.stack.local import LocalStack

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
NOT_FOUND = 404
CONFLICT = 409

T = TypeVar("T")


class DemoFailedError(Exception):
    """The demo could not show what it wanted to; says what was asked and what was answered."""


class Shop:
    """A client of every service of one stack."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        limits = httpx.Limits(max_connections=32)
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._client.aclose()

    async def register(self, person: dict[str, Any], idempotency_key: str) -> str:
        """The id of the new member."""
        headers = {"Idempotency-Key": idempotency_key}
        answer = await self._client.post(f"{self._stack.url('members')}/v1/members", json=person, headers=headers)
        return str(self._document(answer)["member_id"])

    async def publish_programme(self, document: bytes) -> None:
        headers = {"Content-Type": "application/yaml", "Idempotency-Key": "demo-programme-1"}
        url = f"{self._stack.url('programme')}/v1/programme/versions"
        self._document(await self._client.post(url, content=document, headers=headers))

    async def sell(self, checkout: dict[str, Any]) -> str:
        """The event id under which the checkout can be followed."""
        answer = await self._client.post(f"{self._stack.url('ingest')}/v1/checkouts", json=checkout)
        return str(self._document(answer)["event_id"])

    async def redeem(self, member_id: str, wish: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
        """What was spent and the balances behind it; the same key gets the first answer again."""
        url = f"{self._stack.url('ledger')}/v1/members/{member_id}/redemptions"
        headers = {"Idempotency-Key": idempotency_key}
        return self._document(await self._client.post(url, json=wish, headers=headers))

    async def refusal(self, member_id: str, wish: dict[str, Any]) -> dict[str, Any]:
        """The problem that a redemption which cannot be is answered with."""
        url = f"{self._stack.url('ledger')}/v1/members/{member_id}/redemptions"
        answer = await self._client.post(url, json=wish, headers={"Idempotency-Key": "too-much"})
        if answer.status_code != CONFLICT:
            raise DemoFailedError(f"more was asked than there is, and the answer was {answer.status_code}")
        problem: dict[str, Any] = answer.json()
        return problem

    async def outcome(self, event_id: str) -> dict[str, Any] | None:
        return await self._get("ingest", f"/v1/checkouts/{event_id}")

    async def explanation(self, event_id: str) -> dict[str, Any] | None:
        return await self._get("ledger", f"/v1/explain/{event_id}")

    async def balances(self, member_id: str) -> dict[str, Any] | None:
        return await self._get("ledger", f"/v1/members/{member_id}/balances")

    async def entries(self, member_id: str) -> dict[str, Any] | None:
        return await self._get("ledger", f"/v1/members/{member_id}/entries")

    async def tier(self, member_id: str) -> dict[str, Any] | None:
        return await self._get("tiering", f"/v1/members/{member_id}/tier")

    async def _get(self, service: str, path: str) -> dict[str, Any] | None:
        answer = await self._client.get(f"{self._stack.url(service)}{path}")
        return None if answer.status_code == NOT_FOUND else self._document(answer)

    @staticmethod
    def _document(answer: httpx.Response) -> dict[str, Any]:
        if answer.is_error:
            request = answer.request
            raise DemoFailedError(f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:500]}")
        document: dict[str, Any] = answer.json()
        return document


async def eventually(what: str, ask: Callable[[], Awaitable[T | None]]) -> T:
    """Asks until there is an answer: the line is asynchronous, and usually takes well under a second."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await ask()
                if answer is not None:
                    return answer
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise DemoFailedError(f"{what}: not within {PATIENCE_SECONDS:.0f} s; the logs tell more") from None
