"""Transactions that meet: sales, copies of sales and registrations at the same moment, on real row locks."""

import asyncio
import random

import pytest
from sqlalchemy import text

from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.application.claiming import rematch
from services.runtime.postgres.unit_of_work import Database
from tests.support.meetings import NOW, Work, one_behind_the_other, purchases, registers, sends
from tests.support.sales import CARDS, OWNERS, Registered, Send, event_id, expected_purchases, reopen

LI = OWNERS[CARDS[0]]


SALE = Send(0, 0, CARDS[0])
REGISTRATION = Registered(LI, 1, frozenset([CARDS[0]]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(sends(SALE), registers(REGISTRATION), id="the registration waits for the sale"),
        pytest.param(registers(REGISTRATION), sends(SALE), id="the sale waits for the registration"),
        pytest.param(sends(SALE), sends(SALE), id="a sale waits for its copy"),
    ],
)
async def test_who_comes_second_waits_and_sees_the_first(
    database: Database,
    onlooker: Database,
    first: Work,
    second: Work,
) -> None:
    assert not isinstance(await one_behind_the_other(database, onlooker, first, second), Exception)
    # Where only sales met, their registration is still to come.
    await database.run(registers(REGISTRATION))
    assert await purchases(database) == [(event_id(0), LI)]


@pytest.mark.parametrize("seed", range(4))
async def test_many_at_once_count_each_sale_once(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    batches = [
        [
            Send(dice.randrange(12), 0, dice.choice([None, CARDS[0], CARDS[1], CARDS[0]]))
            for _ in range(dice.randint(1, 6))
        ]
        for _ in range(40)
    ]
    members = [Registered(LI, version, frozenset(CARDS[:version])) for version in (1, 2)]
    work = [sends(*batch) for batch in batches]
    work.insert(dice.randrange(20), registers(members[0]))
    work.insert(dice.randrange(20, 40), registers(members[1]))
    async with asyncio.TaskGroup() as tasks:
        for each in work:
            tasks.create_task(database.run(each))
    async with database.begin() as uow:
        assert await rematch(PostgresBooks(uow), PostgresRegister(uow, reopen), PostgresReturns(uow, reopen), NOW) == 0
    sent = [send for batch in batches for send in batch]
    counted = await purchases(database)
    # Both cards are one member's, so the order of arrival cannot change what is counted.
    assert dict(counted) == expected_purchases(sent, frozenset(CARDS[:2]))
    assert len(dict(counted)) == len(counted)


async def test_the_backstop_claims_what_was_left_unclaimed(database: Database) -> None:
    await database.run(sends(SALE))
    async with database.begin() as uow:
        await uow.connection.execute(text("UPDATE identity SET member_id = :member"), {"member": LI})
    async with database.begin() as uow:
        assert await rematch(PostgresBooks(uow), PostgresRegister(uow, reopen), PostgresReturns(uow, reopen), NOW) == 1
    assert await purchases(database) == [(event_id(0), LI)]


@pytest.mark.parametrize("table", ["purchase", "outcome", "activity"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET recorded_at = now()", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_service_cannot_change_its_facts(database: Database, table: str, statement: str) -> None:
    with pytest.raises(Exception, match="permission denied"):
        async with database.begin() as uow:
            await uow.connection.execute(text(statement.format(table)))
