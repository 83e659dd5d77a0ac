"""A small application behind the real edge, for requests of every bad kind."""

from dataclasses import dataclass
from typing import Annotated, Literal

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

from services.runtime.errors import NotReady, Transient
from services.runtime.http.answers import RefusalMapping
from services.runtime.http.app import create_app
from services.runtime.http.auth import Principal, require
from services.runtime.http.idempotency import BodyHash, IdempotencyKey
from services.runtime.http.problem import fault, invalid
from services.runtime.http.readiness import Readiness
from tests.support.api_keys import FixedKeys, authenticator_of

LIMIT_BYTES = 4_096
STREAM_LIMIT_BYTES = 64


class Line(BaseModel):
    net: int


class Cash(BaseModel):
    type: Literal["cash"]
    amount: int


class Voucher(BaseModel):
    type: Literal["voucher"]
    reference: str


class Basket(BaseModel):
    lines: list[Line] = []
    tender: Annotated[Cash | Voucher, Field(discriminator="type")] | None = None
    note: str = ""
    extra: object = None


class InsufficientCoins(Exception):
    def __init__(self, available: int, required: int) -> None:
        super().__init__("too few")
        self.available = available
        self.required = required


@dataclass
class ShelfEmpty(Exception):
    shelf: str


class Shop:
    def __init__(self) -> None:
        self.keys = FixedKeys()
        self.readiness = Readiness()
        self.raised: Exception | None = None
        self.app: FastAPI = create_app(
            title="shop",
            routers=[self._router()],
            readiness=self.readiness,
            authenticator=authenticator_of(self.keys),
            refusals={InsufficientCoins: RefusalMapping(), ShelfEmpty: RefusalMapping(status=404, code="nothing_left")},
            body_limit_bytes=LIMIT_BYTES,
            streamed={"/v1/lines": {"application/x-ndjson": STREAM_LIMIT_BYTES}},
        )

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://shop", headers=headers)

    def _router(self) -> APIRouter:
        router = APIRouter(prefix="/v1")
        router.add_api_route("/baskets", self._basket, methods=["POST"])
        router.add_api_route("/orders/{order_id}", self._order, methods=["POST"])
        router.add_api_route("/lines", self._lines, methods=["POST"])
        router.add_api_route("/trouble", self._trouble, methods=["GET"])
        return router

    async def _basket(self, basket: Basket, copies: int = 1) -> dict[str, int]:
        if basket.note == "unfit":
            raise invalid([fault("/note", "unfit", "say something else")])
        return {"lines": len(basket.lines) * copies}

    async def _order(
        self,
        order_id: str,
        basket: Basket,
        principal: Annotated[Principal, require("orders:write")],
        key: IdempotencyKey,
        body_hash: BodyHash,
    ) -> dict[str, str]:
        principal.ensure_may_write(basket.note or "web")
        return {"owner": principal.owner, "key": key, "hash": body_hash.hex()}

    async def _lines(self, request: Request) -> dict[str, int]:
        return {"bytes": sum([len(chunk) async for chunk in request.stream()])}

    async def _trouble(self) -> None:
        assert self.raised is not None
        raise self.raised


__all__ = [
    "LIMIT_BYTES",
    "STREAM_LIMIT_BYTES",
    "HTTPException",
    "InsufficientCoins",
    "NotReady",
    "ShelfEmpty",
    "Shop",
    "Transient",
]
