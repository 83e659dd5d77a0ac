"""A till in front of the ledger: it redeems and cancels over HTTP."""

import uuid
from dataclasses import dataclass
from typing import Any

from httpx import Response

from tests.support.ledger import LedgerService, P, new_member, programme, purchase
from tests.support.programmes import with_change

REWARDS: list[dict[str, Any]] = [
    {"id": "latte", "name": {"zh": "拿铁", "en": "Latte"}, "price": {"points": 50}},
    {"id": "mug", "price": {"points": 10}, "stock": 3, "per_member": 2},
    {"id": "lounge", "price": {"points": 10}, "tiers": ["gold"]},
    {"id": "relic", "price": {"points": 10}, "dates": ["2026-01-01", "2026-02-01"]},
    {"id": "cash", "as_money": {"unit": "points", "points": 1, "minor": 10, "minimum": 50, "step": 10}},
    {"id": "half", "as_money": {"unit": "points", "points": 1, "minor": 10, "max_share": "0.5"}},
]
NEW_STATUS = "INSERT INTO member_status (member_id, version, status) VALUES (:id, 1, :status) RETURNING 1"
P_WITH_REWARDS = with_change(P, "rewards", REWARDS)


@dataclass(frozen=True)
class Till:
    """Asks under a key of its own unless one is given."""

    ledger: LedgerService

    async def member_with(self, points: int) -> str:
        member = new_member()
        await self.ledger.record(purchase(member, points * 100))
        return member

    async def ask(self, member: str, body: dict[str, Any], key: str = "", **headers: str) -> Response:
        return await self._post(f"/v1/members/{member}/redemptions", body, key, headers)

    async def cancel(self, member: str, redemption: str, key: str = "") -> Response:
        return await self._post(f"/v1/members/{member}/redemptions/{redemption}/cancel", None, key, {})

    async def redeemed(self, member: str, body: dict[str, Any], key: str = "") -> dict[str, Any]:
        answer = await self.ask(member, body, key)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def refused(self, member: str, body: dict[str, Any], status: int = 409) -> dict[str, Any]:
        answer = await self.ask(member, body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        told: dict[str, Any] = answer.json()
        return told

    async def available(self, member: str) -> int:
        return int((await self.ledger.points(member))["available"])

    async def _post(self, path: str, body: Any, key: str, headers: dict[str, str]) -> Response:
        sent = {"Idempotency-Key": key or str(uuid.uuid4())} | headers
        return await self.ledger.running.client.post(path, json=body, headers=sent)


def new_programme() -> Any:
    """Programme P with rewards, as its record."""
    return programme(P_WITH_REWARDS)


def points(wanted: int) -> dict[str, Any]:
    return {"unit": "points", "points": wanted, "order": "R-0043"}
