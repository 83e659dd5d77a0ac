"""A claim and whatever else wants the same sale at the same moment, on real row locks: one gets it, once."""

import asyncio
import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from services.ingest.adapters.books import PostgresBooks
from services.ingest.adapters.overdue import PostgresOverdue
from services.ingest.adapters.register import PostgresRegister
from services.ingest.adapters.returns import PostgresReturns
from services.ingest.application.claiming import register
from services.ingest.application.ending import give_up, lapse
from services.ingest.application.receipts import claim, take_hold
from services.ingest.domain.claim import AlreadyClaimed, Lapsed
from services.runtime.postgres.unit_of_work import Database, UnitOfWork
from tests.support.coming_back import Back
from tests.support.meetings import END, NOW, Work, one_behind_the_other, purchases, sends
from tests.support.sales import CARDS, OWNERS, Registered, Send, event_id, reopen

JUST_BEFORE = END - timedelta(microseconds=1)
LI, WANG = OWNERS[CARDS[0]], OWNERS[CARDS[2]]
ANONYMOUS, WITH_CARD = Send(0, 0, None), Send(0, 0, CARDS[0])


@pytest.fixture
async def database(database: Database) -> Database:
    """With two members who have registered."""
    await database.run(registers(LI, CARDS[1]))
    await database.run(registers(WANG, CARDS[2]))
    return database


def registers(member: object, *cards: bytes, version: int = 1) -> Work:
    async def work(uow: UnitOfWork) -> None:
        state = Registered(next(each for each in OWNERS.values() if each == member), version, frozenset(cards)).state()
        tables = PostgresBooks(uow), PostgresRegister(uow, reopen), PostgresReturns(uow, reopen)
        await register(*tables, [state], NOW)

    return work


def claims(card: bytes, number: int = 0, now: datetime = NOW) -> Work:
    async def work(uow: UnitOfWork) -> None:
        books = PostgresBooks(uow)
        receipt = await take_hold(books, event_id(number), card, lambda _source: True)
        await claim(books, PostgresReturns(uow, reopen), reopen, receipt, now)

    return work


async def lapses(uow: UnitOfWork) -> int:
    return await lapse(PostgresBooks(uow), PostgresOverdue(uow, reopen), END)


async def gives_up(uow: UnitOfWork) -> int:
    return await give_up(PostgresBooks(uow), PostgresOverdue(uow, reopen), END)


async def fate(database: Database, number: int = 0) -> object:
    async with database.read() as connection:
        sql = text("SELECT fate FROM checkout WHERE event_id = :event_id")
        return await connection.scalar(sql, {"event_id": event_id(number)})


@pytest.mark.parametrize(
    ("sent", "first", "second", "owner", "refusal"),
    [
        pytest.param(ANONYMOUS, claims(CARDS[1]), claims(CARDS[2]), LI, AlreadyClaimed, id="two claims"),
        pytest.param(ANONYMOUS, claims(CARDS[1]), claims(CARDS[1]), LI, None, id="a claim and its repetition"),
        pytest.param(WITH_CARD, claims(CARDS[2]), registers(LI, *CARDS[:2], version=2), WANG, None, id="then the card"),
        pytest.param(
            WITH_CARD, registers(LI, *CARDS[:2], version=2), claims(CARDS[2]), LI, AlreadyClaimed, id="the card first"
        ),
        pytest.param(WITH_CARD, registers(LI, *CARDS[:2], version=2), claims(CARDS[1]), LI, None, id="both of one"),
        pytest.param(ANONYMOUS, claims(CARDS[1]), sends(Send(0, 0, CARDS[2])), LI, None, id="then the till's copy"),
        pytest.param(
            ANONYMOUS, sends(Send(0, 0, CARDS[2])), claims(CARDS[1]), WANG, AlreadyClaimed, id="the till's copy first"
        ),
        pytest.param(ANONYMOUS, lapses, claims(CARDS[1], now=JUST_BEFORE), None, Lapsed, id="lapse first"),
    ],
)
async def test_who_comes_second_waits_and_sees_the_first(
    database: Database,
    onlooker: Database,
    sent: Send,
    first: Work,
    second: Work,
    owner: object,
    refusal: type[Exception] | None,
) -> None:
    await database.run(sends(sent))
    answer = await one_behind_the_other(database, onlooker, first, second)
    assert isinstance(answer, refusal) if refusal else answer is None or isinstance(answer, int)
    assert await purchases(database) == ([(event_id(0), owner)] if owner else [])


async def test_a_claim_at_work_is_not_lapsed(database: Database) -> None:
    await database.run(sends(ANONYMOUS, Send(1, 0, None)))
    async with database.begin() as uow:
        await claims(CARDS[1], now=JUST_BEFORE)(uow)
        assert await database.run(lapses) == 1
    assert await database.run(lapses) == 0
    assert (await fate(database, 0), await fate(database, 1)) == ("accepted", "lapsed")


async def test_two_jobs_share_what_is_due(database: Database) -> None:
    await database.run(sends(*(Send(number, 0, None) for number in range(5))))
    async with database.begin() as uow:
        assert await lapses(uow) == 5
        assert await database.run(lapses) == 0
    async with database.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM outcome WHERE body LIKE '% lapsed %'::bytea")) == 5


async def test_a_return_that_waits_goes_with_the_claim(database: Database, onlooker: Database) -> None:
    back = Back(0, 0)
    await database.run(sends(ANONYMOUS))
    await one_behind_the_other(database, onlooker, claims(CARDS[1]), sends(back))
    assert await purchases(database) == [(event_id(0), LI), (back.event_id, LI)]


@pytest.mark.parametrize("seed", range(4))
async def test_many_at_once_give_each_sale_to_one_member(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    numbers = range(6)
    await database.run(sends(*(Send(number, 0, dice.choice([None, CARDS[0]])) for number in numbers)))
    work: list[Work] = [claims(dice.choice(CARDS[1:3]), number) for number in numbers for _ in range(4)]
    work += [sends(*(Send(number, 0, dice.choice([None, *CARDS])) for number in numbers)) for _ in range(6)]
    work += [sends(Back(number, 0)) for number in numbers]
    work += [registers(LI, *CARDS[:2], version=2), lapses, gives_up]
    dice.shuffle(work)
    answers = await asyncio.gather(*(database.run(each) for each in work), return_exceptions=True)
    assert {type(each) for each in answers if isinstance(each, Exception)} <= {AlreadyClaimed, Lapsed}
    await database.run(lapses)
    await database.run(gives_up)
    bought = await purchases(database)
    sold = {event: member for event, member in bought if event in {event_id(number) for number in numbers}}
    assert len(bought) == len(set(bought))
    for number in numbers:
        back = Back(number, 0).event_id
        expected = "accepted" if event_id(number) in sold else "lapsed"
        assert await fate(database, number) == expected
        assert [member for event, member in bought if event == back] in ([sold.get(event_id(number))], [])
