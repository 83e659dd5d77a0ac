"""A key's stored facts go out again in their order, also beside whoever writes new ones."""

import asyncio

from services.ledger.adapters.publication import EntrySource
from services.runtime.kafka.republish import republish
from tests.integration.ops.conftest import Office
from tests.support.ledger import new_member, programme, purchase
from tests.support.running_services import eventually


async def test_a_newer_fact_comes_behind_those_that_are_sent_again(office: Office) -> None:
    ledger, member = office.ledger, new_member()
    await ledger.record(programme(), purchase(member), purchase(member))
    async with ledger.running.context.database.begin() as uow:
        assert await republish(uow, EntrySource(), "points", member) == 2
        newer = asyncio.create_task(ledger.record(purchase(member)))
        await eventually(lambda: ledger.has_waiting_sessions("FROM account a WHERE"))
    await newer
    rows = await ledger.query("SELECT ref FROM outbox WHERE key = :key ORDER BY id", key=member)
    assert [row.ref for row in rows] == ["1", "2", "again/1", "again/2", "3"]


async def test_a_key_without_facts_is_told_from_one_that_has_some(office: Office) -> None:
    member = new_member()
    unknown = await office.operator.loyalty("republish", "points", member)
    assert (unknown.code, "no fact of" in unknown.said) == (1, True)
    await office.ledger.record(programme(), purchase(member))
    told = await office.operator.document("republish", "points", member.upper())
    assert told["facts"] == {"ledger": 1}
    for topic in ("purchases", "outcomes", "activities", "tiers", "members", "messages"):
        assert (await office.operator.loyalty("republish", topic, member)).code == 1
    assert (await office.operator.loyalty("republish", "programme", "another")).code == 1
    assert "1 facts are in the outbox of ledger" in (await office.operator.loyalty("republish", "points", member)).out
