"""The members service's contact look-up as its contract describes it, for tests of who asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse

from schemas.members import Contact

KEY = "lk_notifier_secret"


class ContactDesk:
    """Answers from `contacts`; while `away` it is out of order, while `silent` it does not answer at all."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.away = False
        self.silent = False
        self.asked: list[tuple[str, str, str]] = []
        self._was_asked = asyncio.Event()
        self.url = ""
        self._speak = asyncio.Event()

    def answer_again(self) -> None:
        self.silent = False
        self._speak.set()

    async def asked_within(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await self._was_asked.wait()

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/v1/members/{member_id}/contact", self._contact, methods=["GET"])
        return app

    async def _contact(
        self, member_id: str, purpose: str, channel: str, authorization: Annotated[str, Header()]
    ) -> JSONResponse:
        self.asked.append((member_id, purpose, channel))
        self._was_asked.set()
        if self.silent:
            await self._speak.wait()
        if authorization != f"Bearer {KEY}":
            return _problem(401, "unauthenticated")
        if self.away:
            return _problem(503, "unavailable")
        if member_id not in self.contacts:
            return _problem(404, "member_unknown")
        return JSONResponse(self.contacts[member_id].model_dump(mode="json"))


@asynccontextmanager
async def contact_desk() -> AsyncIterator[ContactDesk]:
    desk = ContactDesk()
    config = uvicorn.Config(desk.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    desk.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield desk
    finally:
        desk.answer_again()
        server.should_exit = True
        await serving
        listener.close()


def _problem(status: int, code: str) -> JSONResponse:
    return JSONResponse({"code": code, "status": status}, status, media_type="application/problem+json")
