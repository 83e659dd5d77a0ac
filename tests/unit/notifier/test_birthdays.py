"""When a birthday is celebrated, and what is announced of it."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.notifier.domain.birthdays import Birthday, birthdays_on, first_instant
from services.notifier.domain.celebrations import Celebrant, Celebration, Reign, celebration, celebrations
from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import BirthdayComes, MemberId
from services.notifier.domain.planning import BirthdayCampaign, Rules, announced
from services.notifier.domain.watch import Watch, first_to_sweep, widened

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MEMBER = Celebrant(
    member_id=MemberId("5f0c7f7e-3b1f-4a52-9f0e-0d8c2f6f1a01"),
    status="active",
    zone=SHANGHAI,
    birthday=Birthday(6, 10),
    since=LONG_AGO,
)
CAMPAIGN = BirthdayCampaign(
    id="birthday",
    days_before=0,
    at=time(9),
    leap_day="feb_28",
    channels=("email",),
    template="birthday",
    purpose="marketing",
    tolerance=Duration(exact=timedelta(days=2)),
    gives=True,
)
RULES = Rules(version=1, levels=(), campaigns=(), birthdays=(CAMPAIGN,), zone=SHANGHAI)
FOR_EVER = Reign(RULES, LONG_AGO, None)


def celebrated(
    member: Celebrant = MEMBER, *reigns: Reign, campaign: BirthdayCampaign = CAMPAIGN, year: int = 2026
) -> Celebration | None:
    rules = replace(RULES, birthdays=(campaign,))
    return celebration(member, reigns or (replace(FOR_EVER, rules=rules),), campaign.id, year)


def due_at(member: Celebrant, *, days_before: int = 0) -> datetime:
    found = celebrated(member, campaign=replace(CAMPAIGN, days_before=days_before))
    assert found is not None
    return found.due_at


@pytest.mark.parametrize(
    ("year", "policy", "day"),
    [
        (2027, "feb_28", date(2027, 2, 28)),
        (2027, "mar_1", date(2027, 3, 1)),
        (2028, "feb_28", date(2028, 2, 29)),
        (2028, "mar_1", date(2028, 2, 29)),
        (2100, "mar_1", date(2100, 3, 1)),
    ],
)
def test_C19_a_29th_of_february_is_celebrated_by_policy_in_other_years(year: int, policy: str, day: date) -> None:
    campaign = replace(CAMPAIGN, leap_day="feb_28" if policy == "feb_28" else "mar_1")
    found = celebrated(replace(MEMBER, birthday=Birthday(2, 29)), campaign=campaign, year=year)
    assert found is not None
    assert (found.day, found.due_at) == (day, datetime.combine(day, time(9), SHANGHAI))


@pytest.mark.parametrize(
    ("zone", "instant"),
    [
        ("Asia/Shanghai", datetime(2026, 6, 10, 1, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 6, 9, 19, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 6, 10, 20, tzinfo=UTC)),
        ("Europe/London", datetime(2026, 6, 10, 8, tzinfo=UTC)),
    ],
)
def test_C19_the_hour_and_the_day_are_those_of_the_members_zone(zone: str, instant: datetime) -> None:
    assert due_at(replace(MEMBER, zone=ZoneInfo(zone))) == instant


def test_C19_a_member_without_a_zone_is_celebrated_in_the_programmes() -> None:
    assert due_at(replace(MEMBER, zone=None)) == datetime(2026, 6, 10, 9, tzinfo=SHANGHAI)


def test_an_hour_that_the_clocks_jump_over_comes_at_the_first_instant_after() -> None:
    new_york = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 3, 8), time(2, 30), new_york) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_day_that_the_calendar_jumps_over_begins_with_the_next() -> None:
    assert first_instant(date(2011, 12, 30), time(9), ZoneInfo("Pacific/Apia")) == datetime(
        2011, 12, 30, 10, tzinfo=UTC
    )


def test_of_an_hour_that_comes_twice_the_first_counts() -> None:
    new_york = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 11, 1), time(1, 30), new_york) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_days_before_the_new_year_belong_to_the_year_of_the_birthday() -> None:
    eager = replace(CAMPAIGN, days_before=3)
    found = celebrated(replace(MEMBER, birthday=Birthday(1, 1)), campaign=eager, year=2027)
    assert found is not None
    assert (found.occurrence, found.day, found.due_at) == (
        "2027", date(2027, 1, 1), datetime(2026, 12, 29, 9, tzinfo=SHANGHAI)
    )  # fmt: skip


def test_who_joins_on_the_day_itself_is_celebrated_at_once() -> None:
    joined = datetime(2026, 6, 10, 23, 59, tzinfo=SHANGHAI)
    assert due_at(replace(MEMBER, since=joined)) == joined


def test_who_joins_when_the_day_is_over_waits_a_year() -> None:
    newcomer = replace(MEMBER, since=datetime(2026, 6, 11, tzinfo=SHANGHAI))
    assert celebrated(newcomer) is None
    assert celebrated(newcomer, year=2027) is not None


def test_who_joins_between_the_message_and_the_day_is_told_at_once() -> None:
    joined = datetime(2026, 6, 9, 12, tzinfo=SHANGHAI)
    assert due_at(replace(MEMBER, since=joined), days_before=3) == joined


@pytest.mark.parametrize("status", ["closed", "erased"])
def test_who_has_left_is_not_celebrated(status: str) -> None:
    assert celebrated(replace(MEMBER, status=status)) is None


def test_who_is_blocked_has_a_birthday_all_the_same() -> None:
    assert celebrated(replace(MEMBER, status="blocked")) is not None


def test_the_version_in_force_at_the_hour_decides() -> None:
    change = datetime(2026, 6, 10, 8, tzinfo=SHANGHAI)
    later = replace(RULES, version=2, birthdays=(replace(CAMPAIGN, at=time(10)),))
    found = celebrated(MEMBER, Reign(RULES, LONG_AGO, change), Reign(later, change, None))
    assert found is not None
    assert (found.version, found.due_at) == (2, datetime(2026, 6, 10, 10, tzinfo=SHANGHAI))


def test_a_campaign_that_a_new_version_removes_before_its_hour_is_silent() -> None:
    change = datetime(2026, 6, 10, 8, tzinfo=SHANGHAI)
    without = replace(RULES, version=2, birthdays=())
    assert celebrated(MEMBER, Reign(RULES, LONG_AGO, change), Reign(without, change, None)) is None


def test_what_had_come_before_a_new_version_stays_as_it_was() -> None:
    change = datetime(2026, 6, 10, 9, 1, tzinfo=SHANGHAI)
    later = replace(RULES, version=2, birthdays=(replace(CAMPAIGN, at=time(10)),))
    found = celebrated(MEMBER, Reign(RULES, LONG_AGO, change), Reign(later, change, None))
    assert found is not None
    assert (found.version, found.due_at) == (1, datetime(2026, 6, 10, 9, tzinfo=SHANGHAI))


def test_an_hour_that_a_new_version_moves_to_before_its_own_beginning_comes_with_it() -> None:
    change = datetime(2026, 6, 10, 8, tzinfo=SHANGHAI)
    earlier = replace(RULES, version=2, birthdays=(replace(CAMPAIGN, at=time(7)),))
    found = celebrated(MEMBER, Reign(RULES, LONG_AGO, change), Reign(earlier, change, None))
    assert found is not None
    assert (found.version, found.due_at) == (2, change)


def test_a_campaign_that_begins_after_its_hour_has_nothing_to_say_that_day() -> None:
    assert celebrated(MEMBER, replace(FOR_EVER, starts_at=datetime(2026, 6, 10, 12, tzinfo=SHANGHAI))) is None


def test_only_the_days_that_are_watched_are_looked_at() -> None:
    days = (date(2026, 6, 11), date(2027, 6, 9))
    assert list(celebrations(MEMBER, [FOR_EVER], *days)) == []
    assert [each.year for each in celebrations(MEMBER, [FOR_EVER], date(2026, 6, 10), date(2027, 6, 10))] == [
        2026,
        2027,
    ]


def test_a_sweep_of_a_day_meets_everybody_who_may_be_celebrated_on_it() -> None:
    leap = Birthday(2, 29)
    assert leap in birthdays_on(date(2027, 2, 28))
    assert leap in birthdays_on(date(2027, 3, 1))
    assert birthdays_on(date(2028, 2, 28)) == (Birthday(2, 28),)
    assert birthdays_on(date(2028, 2, 29)) == (leap,)


def test_the_messages_of_a_birthday_carry_its_day_its_year_and_its_gift() -> None:
    found = celebrated()
    assert found is not None
    (planned,) = announced(found.announcement(), now=found.due_at)
    assert (planned.message.intent.campaign, planned.message.intent.occurrence) == ("birthday", "2026")
    assert planned.message.occasion == BirthdayComes(date(2026, 6, 10))
    assert planned.step.fate == "planned"
    assert planned.gift is not None
    assert (planned.gift.reference, planned.gift.occurred_at) == ("birthday/2026", found.due_at)


def test_C22_a_birthday_that_is_history_is_missed_and_its_gift_is_given() -> None:
    found = celebrated()
    assert found is not None
    (planned,) = announced(found.announcement(), now=found.due_at + timedelta(days=2))
    assert (planned.step.fate, planned.step.reason) == ("missed", "too_old")
    assert planned.gift is not None


NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HORIZON = timedelta(days=3)


def test_the_first_watch_begins_today_and_looks_past_the_horizon() -> None:
    eager = replace(FOR_EVER, rules=replace(RULES, birthdays=(replace(CAMPAIGN, days_before=10),)))
    wanted = widened(None, [eager], now=NOW, horizon=HORIZON)
    assert wanted == Watch(date(2026, 5, 30), date(2026, 6, 16), 1)
    assert first_to_sweep(None, wanted, [eager], now=NOW) == wanted.first_day


def test_after_a_long_silence_every_day_in_between_is_swept() -> None:
    watch = Watch(date(2026, 1, 1), date(2026, 3, 1), 1)
    wanted = widened(watch, [FOR_EVER], now=NOW, horizon=HORIZON)
    assert wanted.first_day == watch.first_day
    assert first_to_sweep(watch, wanted, [FOR_EVER], now=NOW) == date(2026, 3, 2)


def test_a_new_version_has_the_days_since_its_beginning_swept_again() -> None:
    watch = Watch(date(2026, 1, 1), date(2026, 6, 6), 1)
    newer = Reign(replace(RULES, version=2), NOW - timedelta(days=10), None)
    wanted = widened(watch, [FOR_EVER, newer], now=NOW, horizon=HORIZON)
    assert wanted.version == 2
    assert first_to_sweep(watch, wanted, [FOR_EVER, newer], now=NOW) == date(2026, 5, 20)


def test_a_watch_that_reaches_far_enough_stays_as_it_is() -> None:
    watch = widened(None, [FOR_EVER], now=NOW, horizon=HORIZON)
    assert widened(watch, [FOR_EVER], now=NOW + timedelta(hours=2), horizon=HORIZON) == watch
