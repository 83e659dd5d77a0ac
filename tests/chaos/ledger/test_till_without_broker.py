"""The broker goes away under a running ledger: tills are answered, and their facts go out when it is back."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.ledger.adapters.replaying import compare_with_topic
from services.ops.stack.kafka import LocalKafka
from services.ops.stack.ports import free_ports
from services.ops.stack.probe import look_around
from services.ops.stack.providers import local_kafka
from tests.support.ledger import ledger_service, make_topics, new_member, purchase
from tests.support.ledger_process import ledger_process
from tests.support.till import new_programme, points

NOW = datetime.now(UTC)


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[LocalKafka]:
    """A broker of this test's own, to be stopped."""
    broker = local_kafka(look_around(), tmp_path, nodes=1)
    await broker.start()
    yield broker
    await broker.stop()


async def test_points_are_spent_while_the_broker_is_away_and_told_when_it_is_back(
    own_broker: LocalKafka, database_url: str, tmp_path: Path
) -> None:
    member, (port,) = new_member(), free_ports(1)
    async with ledger_service(
        database_url=database_url, keys=tmp_path, kafka=own_broker.bootstrap, topic_prefix="away.", now=NOW
    ) as ledger:
        await make_topics(ledger)
        await ledger.running.send(new_programme(), purchase(member, 10_000, at=NOW))
        async with (
            ledger_process(ledger, database_url=database_url, port=port),
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=ledger.running.client.headers, trust_env=False
            ) as till,
        ):
            await ledger.until_recorded(1)
            await ledger.until_outbox_is_empty()
            await own_broker.stop()

            answers = [await redeem(till, member) for _ in range(5)]

            assert [answer.status_code for answer in answers] == [201] * 5
            assert len(await ledger.query("SELECT 1 FROM outbox")) == 5
            await own_broker.start()
            await ledger.until_outbox_is_empty()
        comparison = await compare_with_topic(ledger.running.context.database, ledger.running.context.kafka)
        assert (comparison.equal, comparison.facts) == (True, 6)
        assert await ledger.offence() is None


async def redeem(till: httpx.AsyncClient, member: str) -> httpx.Response:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return await till.post(f"/v1/members/{member}/redemptions", json=points(10), headers=headers)
