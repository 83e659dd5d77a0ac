"""Birthdays, from what members tell to a mail and a gift, on a real database, broker and mail server."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from schemas.programme import ProgrammeDocument
from services.notifier.__main__ import handlers
from services.notifier.application import celebrating
from services.runtime.errors import NotReady
from services.runtime.ports import Record
from tests.support.contact_desk import ContactDesk
from tests.support.mail_server import MailServer
from tests.support.notifier import (
    NotifierUnderTest,
    birthday_programme,
    contact,
    member_record,
    new_member,
    programme,
    registered,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
SPRING = datetime(2026, 4, 1, tzinfo=UTC)
THE_DAY_BEFORE = datetime(2026, 6, 9, 12, tzinfo=SHANGHAI)
NINE = datetime(2026, 6, 10, 9, tzinfo=SHANGHAI)
SENT = [("planned", None), ("submitting", None), ("sent", None)]


@pytest.mark.parametrize(
    ("zone", "year", "policy", "hour"),
    [
        ("Asia/Shanghai", 2027, "feb_28", datetime(2027, 2, 28, 1, tzinfo=UTC)),
        ("Asia/Shanghai", 2027, "mar_1", datetime(2027, 3, 1, 1, tzinfo=UTC)),
        ("Pacific/Kiritimati", 2027, "feb_28", datetime(2027, 2, 27, 19, tzinfo=UTC)),
        ("Pacific/Pago_Pago", 2027, "feb_28", datetime(2027, 2, 28, 20, tzinfo=UTC)),
        ("Pacific/Pago_Pago", 2028, "mar_1", datetime(2028, 2, 29, 20, tzinfo=UTC)),
    ],
)
async def test_C19_a_mail_at_nine_of_the_members_own_day(
    notifier: NotifierUnderTest,
    desk: ContactDesk,
    mail_server: MailServer,
    zone: str,
    year: int,
    policy: str,
    hour: datetime,
) -> None:
    member = _known(desk, time_zone=zone)
    await notifier.begin(birthday_programme(leap_day=policy), at=hour - timedelta(days=2))
    await notifier.take("members", registered(member, SPRING, birthday=(2, 29), time_zone=zone))
    await notifier.jump_to(hour - timedelta(minutes=1))
    await notifier.sender.run_once()
    assert (await notifier.ahead(), await notifier.steps()) == ([(str(year), hour)], [])
    await notifier.jump_to(hour)
    await notifier.sender.run_once()
    (mail,) = mail_server.received
    assert mail.subject == "李雷，生日快乐"
    assert mail.text.strip() == f"{hour.astimezone(ZoneInfo(zone)).date()}：100 积分"
    assert await notifier.steps() == SENT


async def test_who_registers_on_the_day_itself_is_greeted_at_once(
    notifier: NotifierUnderTest, desk: ContactDesk, mail_server: MailServer
) -> None:
    member = _known(desk)
    joined = NINE + timedelta(hours=6)
    await notifier.begin(birthday_programme(), at=joined)
    await notifier.take("members", registered(member, joined))
    assert await notifier.herald.run_once() == 1
    await notifier.sender.run_once()
    assert len(mail_server.received) == 1


async def test_who_registers_after_the_day_gets_nothing_for_it(notifier: NotifierUnderTest) -> None:
    joined = datetime(2026, 6, 11, 0, 1, tzinfo=SHANGHAI)
    await notifier.begin(birthday_programme(), at=joined)
    await notifier.take("members", registered(new_member(), joined))
    await notifier.jump_to(joined)
    assert (await notifier.ahead(), await notifier.steps(), await notifier.gifts()) == ([], [], [])


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
async def test_a_birthday_that_was_told_after_it_is_over_brings_nothing_however_it_is_read(
    notifier: NotifierUnderTest, at_once: bool
) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    told = NINE + timedelta(days=5)
    silent = registered(member, THE_DAY_BEFORE, birthday=(0, 0))
    records = [silent, registered(member, THE_DAY_BEFORE, version=2, recorded_at=told)]
    for batch in [records] if at_once else [[each] for each in records]:
        await notifier.take("members", *batch)
    await notifier.jump_to(told)
    assert (await notifier.steps(), await notifier.gifts()) == ([], [])


async def test_once_a_year_whatever_is_read_again_and_wherever_the_birthday_moves(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    await notifier.jump_to(NINE)
    moved = registered(member, SPRING, version=2, recorded_at=NINE, birthday=(6, 12))
    await notifier.take("members", registered(member, SPRING), moved)
    await notifier.jump_to(NINE + timedelta(days=2))
    assert (await notifier.ahead(), len(await notifier.steps()), len(await notifier.gifts())) == ([], 1, 1)
    await notifier.jump_to(NINE.replace(year=2027, day=12))
    assert [each["reference"] for each in await notifier.gifts()] == ["birthday/2026", "birthday/2027"]


async def test_what_is_ahead_follows_the_member(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    assert await notifier.ahead() == [("2026", NINE)]
    abroad = registered(member, SPRING, version=2, recorded_at=THE_DAY_BEFORE, time_zone="Europe/London")
    await notifier.take("members", abroad)
    assert await notifier.ahead() == [("2026", datetime(2026, 6, 10, 9, tzinfo=ZoneInfo("Europe/London")))]
    corrected = registered(member, SPRING, version=3, recorded_at=THE_DAY_BEFORE, birthday=(6, 11))
    await notifier.take("members", corrected)
    assert await notifier.ahead() == [("2026", NINE + timedelta(days=1))]
    untold = registered(member, SPRING, version=4, recorded_at=THE_DAY_BEFORE, birthday=(0, 0))
    await notifier.take("members", untold)
    assert await notifier.ahead() == []


async def test_of_who_is_erased_nothing_is_ahead(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    await notifier.take("members", member_record(None, member))
    assert await notifier.ahead() == []
    await notifier.jump_to(NINE)
    assert (await notifier.steps(), await notifier.gifts()) == ([], [])


async def test_who_leaves_between_the_plan_and_the_hour_is_given_nothing(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    await notifier.take("members", registered(member, SPRING, version=2, status="closed"))
    await notifier.jump_to(NINE)
    assert (await notifier.steps(), await notifier.gifts()) == ([], [])


async def test_a_birthday_of_the_lunar_calendar_is_kept_and_not_celebrated_yet(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    lunar = {"calendar": "lunar", "month": 6, "day": 10, "leap_month": True}
    await notifier.take("members", _with_birthday(member, lunar))
    await notifier.jump_to(NINE)
    assert (await notifier.ahead(), await notifier.steps()) == ([], [])


async def test_a_version_published_after_planning_decides_what_is_still_ahead(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    await notifier.know(_from(THE_DAY_BEFORE + timedelta(hours=1), birthday_programme(2, at="18:00")))
    await notifier.look_ahead()
    assert await notifier.ahead() == [("2026", NINE.replace(hour=18))]
    without = programme(3, campaigns=[], templates={})
    await notifier.know(_from(THE_DAY_BEFORE + timedelta(hours=2), without))
    await notifier.look_ahead()
    assert await notifier.ahead() == []


async def test_a_version_that_the_plan_has_not_followed_yet_decides_all_the_same(notifier: NotifierUnderTest) -> None:
    member = new_member()
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(member, SPRING))
    await notifier.know(_from(THE_DAY_BEFORE + timedelta(hours=1), birthday_programme(2, at="18:00")))
    notifier.clock.now = NINE.astimezone(UTC)
    await notifier.confirm_programme()
    await notifier.herald.run_once()
    assert (await notifier.steps(), await notifier.ahead()) == ([], [("2026", NINE.replace(hour=18))])


async def test_nothing_is_announced_while_the_programme_may_have_changed(notifier: NotifierUnderTest) -> None:
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    await notifier.take("members", registered(new_member(), SPRING))
    notifier.clock.now = NINE.astimezone(UTC)
    with pytest.raises(NotReady):
        await notifier.herald.run_once()
    assert await notifier.steps() == []


async def test_C22_after_a_long_silence_birthdays_are_missed_and_their_gifts_are_given(
    notifier: NotifierUnderTest, desk: ContactDesk
) -> None:
    members = [new_member() for _ in range(3)]
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE)
    for day, member in zip((10, 20, 29), members, strict=True):
        await notifier.take("members", registered(member, SPRING, birthday=(6, day)))
    await notifier.jump_to(NINE + timedelta(days=20))
    fates = {(fate, reason) for fate, reason in await notifier.steps()}
    assert fates == {("missed", "too_old"), ("planned", None)}
    assert [each["occurred_at"] for each in await notifier.gifts()] == [
        f"2026-06-{day}T01:00:00Z" for day in (10, 20, 29)
    ]
    assert desk.asked == []


async def test_two_planners_and_two_heralds_at_once_do_everything_once(notifier: NotifierUnderTest) -> None:
    members = [new_member() for _ in range(40)]
    await notifier.take(
        "members", *(registered(member, SPRING, birthday=(6, 9 + n % 3)) for n, member in enumerate(members))
    )
    notifier.clock.now = THE_DAY_BEFORE.astimezone(UTC)
    await notifier.know(birthday_programme())
    await asyncio.gather(*(notifier.look_ahead() for _ in range(2)))
    assert len(await notifier.ahead()) == 40
    notifier.clock.now = (NINE + timedelta(days=1)).astimezone(UTC)
    await notifier.confirm_programme()
    await asyncio.gather(*(notifier.herald.run_once() for _ in range(3)))
    assert (len(await notifier.steps()), len(await notifier.gifts()), await notifier.ahead()) == (40, 40, [])


async def test_a_member_who_is_read_while_the_watch_widens_is_not_overlooked(notifier: NotifierUnderTest) -> None:
    await notifier.begin(birthday_programme(), at=THE_DAY_BEFORE - timedelta(days=20))
    notifier.clock.now = THE_DAY_BEFORE.astimezone(UTC)
    handler, record = handlers(notifier.context)["members"], registered(new_member(), SPRING)
    async with notifier.database.begin() as uow:
        await handler.handle(uow, [record._replace(value=handler.decode(record))])
        widening = asyncio.create_task(notifier.look_ahead())
        await asyncio.wait({widening}, timeout=0.5)
        assert not widening.done()
    await widening
    assert await notifier.ahead() == [("2026", NINE)]


async def test_a_sweep_that_is_interrupted_goes_on_where_it_was(
    notifier: NotifierUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celebrating, "SWEEP_MEMBERS", 3)
    members = sorted(new_member() for _ in range(10))
    await notifier.take("members", *(registered(member, SPRING) for member in members))
    notifier.clock.now = THE_DAY_BEFORE.astimezone(UTC)
    await notifier.know(birthday_programme())
    runs = 0
    while len(await notifier.ahead()) < len(members):
        await notifier.planner.run_once()
        runs += 1
        assert runs < 20
    await notifier.look_ahead()
    async with notifier.database.read() as connection:
        swept = await connection.scalar(text("SELECT count(*) FROM birthday_sweep"))
        last_day = await connection.scalar(text("SELECT last_day FROM birthday_watch"))
    assert (swept, last_day) == (0, date(2026, 6, 14))


async def test_members_who_were_read_before_birthdays_were_are_found_again(
    notifier: NotifierUnderTest, database_url: str
) -> None:
    member = new_member()
    await notifier.take("members", registered(member, SPRING, version=7, recorded_at=NINE))
    async with notifier.database.begin() as uow:
        forget = "UPDATE member_state SET birthday_calendar = NULL, birthday_month = NULL, birthday_since = NULL"
        await uow.connection.execute(text(forget))
    await notifier.begin(birthday_programme(), at=NINE + timedelta(hours=1))
    await notifier.take("members", registered(member, SPRING, version=7, recorded_at=NINE + timedelta(hours=1)))
    assert await notifier.ahead() == [("2026", NINE)], "they joined long before, whenever they were changed last"


def _known(desk: ContactDesk, **changes: Any) -> str:
    member = new_member()
    desk.contacts[member] = contact(member, **changes)
    return member


def _from(instant: datetime, document: ProgrammeDocument) -> ProgrammeDocument:
    return document.model_copy(update={"effective_from": instant})


def _with_birthday(member: str, birthday: dict[str, Any]) -> Record[bytes | None]:
    record = registered(member, SPRING)
    state = json.loads(record.value or b"") | {"birthday": birthday}
    return member_record(json.dumps(state).encode(), member)
