"""A return and its sale at the same moment, on real row locks: whoever comes second sees the first."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.overdue import PostgresOverdue
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import rematch
from services.ingest.application.ending import give_up
from services.ingest.domain.identity import EventId
from services.runtime.postgres.unit_of_work import Database
from tests.support.coming_back import Back, returned
from tests.support.meetings import END, NOW, Work, one_behind_the_other, purchases, registers, sends
from tests.support.sales import CARDS, OWNERS, Registered, Send, event_id, reopen, submission

LI, WANG = OWNERS[CARDS[0]], OWNERS[CARDS[2]]
SALE, RETURN, VOID = Send(0, 0, CARDS[0]), Back(0, 0), Back(0, 0, is_void=True)
REGISTRATION = Registered(LI, 1, frozenset([CARDS[0]]))


async def rematched(database: Database) -> int:
    async with database.begin() as uow:
        tables = PostgresBooks(uow), PostgresRegister(uow, reopen), PostgresReturns(uow, reopen)
        return await rematch(*tables, NOW)


IN_ORDER = [(event_id(0), LI), (RETURN.event_id, LI)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([SALE, RETURN], id="the sale first"),
        pytest.param([RETURN, SALE], id="the return first"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["in one batch", "in two batches"])
async def test_a_return_is_counted_behind_its_sale(database: Database, steps: list[Send | Back], at_once: bool) -> None:
    await database.run(registers(REGISTRATION))
    for batch in [steps] if at_once else [[step] for step in steps]:
        await database.run(sends(*batch))
    assert await purchases(database) == IN_ORDER


async def test_a_return_of_a_sale_by_another_card_belongs_to_the_sales_member(database: Database) -> None:
    await database.run(registers(REGISTRATION, Registered(WANG, 1, frozenset([CARDS[2]]))))
    async with database.begin() as uow:
        sent = [submission(SALE), returned(RETURN, card=CARDS[2])]
        await admit(PostgresBooks(uow), PostgresReturns(uow, reopen), sent, Moment(NOW))
    assert await purchases(database) == IN_ORDER


async def test_a_return_waits_for_the_claim_of_its_sale_and_its_void_waits_for_the_return(database: Database) -> None:
    await database.run(sends(VOID))
    await database.run(sends(RETURN))
    await database.run(sends(SALE))
    assert await purchases(database) == []
    await database.run(registers(REGISTRATION))
    assert await purchases(database) == [*IN_ORDER, (VOID.event_id, LI)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(sends(SALE), sends(RETURN), id="the return waits for the sale"),
        pytest.param(sends(RETURN), sends(SALE), id="the sale waits for the return"),
        pytest.param(sends(RETURN), sends(SALE, RETURN), id="the sale comes with a copy of the return"),
    ],
)
async def test_who_comes_second_waits_and_sees_the_first(
    database: Database, onlooker: Database, first: Work, second: Work
) -> None:
    await database.run(registers(REGISTRATION))
    assert not isinstance(await one_behind_the_other(database, onlooker, first, second), Exception)
    assert await purchases(database) == IN_ORDER
    assert await rematched(database) == 0


@pytest.mark.parametrize("seed", range(4))
async def test_many_at_once_count_each_return_once(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    steps: list[Send | Back] = [Send(number, 0, CARDS[0]) for number in range(6)]
    steps += [Back(sale, number, is_void) for sale in range(6) for number in range(2) for is_void in (False, True)]
    work: list[Work] = [sends(*dice.sample(steps, dice.randint(1, 5))) for _ in range(40)]
    work += [sends(each) for each in steps]
    dice.shuffle(work)
    work.insert(dice.randrange(len(work)), registers(REGISTRATION))
    async with asyncio.TaskGroup() as tasks:
        for each in work:
            tasks.create_task(database.run(each))
    assert await rematched(database) == 0
    counted = await purchases(database)
    assert {event for event, _ in counted} == {submitted(each) for each in steps}
    assert len(counted) == len(steps)
    places = {event: place for place, (event, _) in enumerate(counted)}
    backs = [each for each in steps if isinstance(each, Back)]
    assert all(places[each.original_id] < places[each.event_id] for each in backs)


def submitted(step: Send | Back) -> EventId:
    return event_id(step.number) if isinstance(step, Send) else step.event_id


async def test_the_backstop_takes_up_a_return_that_was_left_waiting(database: Database) -> None:
    await database.run(registers(REGISTRATION))
    await database.run(sends(RETURN))
    async with database.begin() as uow:
        sql = "UPDATE checkout SET fate = 'accepted', fingerprint = '\\x{}', member_id = :member WHERE event_id = :sale"
        await uow.connection.execute(text(sql.format("00" * 32)), {"member": LI, "sale": event_id(0)})
    assert await rematched(database) == 1
    assert await rematched(database) == 0
    assert await purchases(database) == [(RETURN.event_id, LI)]


async def test_a_return_whose_sale_never_comes_is_put_before_a_person(database: Database) -> None:
    await database.run(sends(RETURN))

    async def given_up(now: datetime) -> int:
        async with database.begin() as uow:
            return await give_up(PostgresBooks(uow), PostgresOverdue(uow, reopen), now)

    assert await given_up(END - timedelta(microseconds=1)) == 0
    assert await given_up(END) == 1
    assert await given_up(END) == 0
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT fate, reason, outcomes FROM checkout WHERE fate <> ''"))).all()
    assert [tuple(row) for row in rows] == [("review", "waited_too_long", 2)]
    await database.run(registers(REGISTRATION))
    await database.run(sends(SALE))
    assert await purchases(database) == [(event_id(0), LI)]
