"""The past year: members register over HTTP, tills publish their baskets straight to Kafka, the line works them off."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import text

from schemas.checkouts import CHECKOUT_V1
from schemas.envelope import event_headers
from services.ops.demo.journey import Basket, checkouts
from services.ops.demo.people import person
from services.ops.demo.shop import Shop
from services.ops.lag import read_lag
from services.ops.progress_bar import Advance
from services.runtime.kafka.producer import KafkaPublisher
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Message
from services.runtime.postgres.unit_of_work import Database
from services.runtime.process.definition import system_clock

REGISTRARS = 12
CHUNK = 2_000
POLL_SECONDS = 0.3
QUIET_SECONDS = 0.5

RECORDED = text("SELECT count(*) FROM ledger.entry WHERE type = 'purchase_recorded'")


async def register_all(shop: Shop, households: Sequence[int], advance: Advance) -> None:
    """One member per household, several at a time."""
    waiting = iter(households)
    done = 0

    async def registrar() -> None:
        nonlocal done
        for household in waiting:
            await shop.register(person(household), f"household-{household}")
            done += 1
            advance(done, len(households))

    async with asyncio.TaskGroup() as registrars:
        for _ in range(REGISTRARS):
            registrars.create_task(registrar())


async def publish_all(kafka: KafkaSettings, baskets: Sequence[Basket], advance: Advance) -> None:
    """As tills with Kafka do: CloudEvents in binary mode, key source/store/terminal."""
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    messages = _messages(baskets)
    published = 0
    try:
        while chunk := list(islice(messages, CHUNK)):
            await publisher.send_many(chunk)
            published += len(chunk)
            advance(published, len(baskets))
    finally:
        await publisher.stop()


async def wait_for_books(database: Database, purchases: int, advance: Advance) -> None:
    """Until the ledger has recorded so many purchases."""
    while True:
        async with database.read() as connection:
            recorded = int((await connection.execute(RECORDED)).scalar_one())
        advance(recorded, purchases)
        if recorded >= purchases:
            return
        await asyncio.sleep(POLL_SECONDS)


async def wait_for_quiet(database: Database, kafka: KafkaSettings) -> None:
    """Until no consumer is behind and no outbox holds anything, at two looks in a row: a loop may just be closing."""
    quiet = 0
    while quiet < 2:
        lag = await read_lag(database, kafka, system_clock(), ages=False)
        quiet = quiet + 1 if lag.is_quiet else 0
        await asyncio.sleep(QUIET_SECONDS)


def _messages(baskets: Sequence[Basket]) -> Iterator[Message]:
    for number, checkout in enumerate(checkouts(baskets)):
        yield _message(checkout, f"journey-{number}")


def _message(checkout: dict[str, Any], event: str) -> Message:
    at = datetime.fromisoformat(checkout["occurred_at"])
    headers = event_headers(event_type=CHECKOUT_V1, event_id=event, source=checkout["source"], at=at)
    key = f"{checkout['source']}/{checkout['store']}/{checkout['terminal']}"
    return Message("checkouts", key, json.dumps(checkout).encode(), headers)
