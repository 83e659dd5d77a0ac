"""A service without meaning, run as a process: `python -m tests.support.probe_process [role …]`.

It borrows the schema of `programme`. A file in PROBE_DIR switches each behaviour on while the process runs.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, Record
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.runtime.process import Api, Context, Job, ServiceDefinition, main
from services.runtime.settings import ServiceSettings

SWITCHES = Path(os.environ.get("PROBE_DIR", "."))
TOPIC = "messages"


def is_on(switch: str) -> bool:
    return (SWITCHES / switch).exists()


class Owner:
    topics = (TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        return not is_on("database_is_old")

    def remedy(self, topic: str) -> str:
        return f"probe rebuild {topic}"


class Source:
    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        if is_on("relay_has_a_bug"):
            raise RuntimeError("cannot resolve")
        return [Message(row.topic, row.key, row.ref.encode(), {}) for row in rows]


class Reader:
    def decode(self, record: Record[bytes | None]) -> None:
        if is_on("reader_has_a_bug"):
            raise RuntimeError("cannot read")

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[None]]) -> None:
        (SWITCHES / "record_read").touch()


async def echo() -> dict[str, bool]:
    return {"echo": True}


async def slow() -> dict[str, bool]:
    (SWITCHES / "slow_began").touch()
    while not is_on("slow_may_end"):
        await asyncio.sleep(0.01)
    return {"slow": True}


async def job() -> int:
    if is_on("job_has_a_bug"):
        raise RuntimeError("cannot work")
    while is_on("job_hangs"):
        (SWITCHES / "job_began").touch()
        await asyncio.sleep(0.01)
    return 0


def api(_context: Context) -> Api:
    router = APIRouter(prefix="/v1")
    router.add_api_route("/echo", echo, methods=["POST"])
    router.add_api_route("/slow", slow, methods=["GET"])
    return Api(routers=[router])


PROBE = ServiceDefinition(
    name="programme",
    settings=ServiceSettings,
    api=api,
    handlers=lambda _context: {TOPIC: Reader()},
    outbox_source=lambda _context: Source(),
    topic_owner=lambda _context: Owner(),
    jobs=lambda _context: [Job("probe", 0.05, job)],
    publishes=True,
)

if __name__ == "__main__":
    main(PROBE)
