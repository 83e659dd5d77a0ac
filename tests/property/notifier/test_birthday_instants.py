"""For every zone, date and policy: the hour of a birthday falls where the member lives, once a year."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.birthdays import Birthday, LeapDay, birthdays_on, first_instant
from services.notifier.domain.celebrations import Celebrant, Reign, celebrations
from services.notifier.domain.durations import Duration
from services.notifier.domain.messages import MemberId
from services.notifier.domain.planning import BirthdayCampaign, Rules

FIRST_YEAR, LAST_YEAR = 2024, 2032
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
BIRTHDAYS = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda day: Birthday(day.month, day.day))
HOURS = st.times().map(lambda at: at.replace(microsecond=0, tzinfo=None))
POLICIES: st.SearchStrategy[LeapDay] = st.sampled_from(["feb_28", "mar_1"])
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@given(zone=ZONES, birthday=BIRTHDAYS, at=HOURS, days_before=st.integers(0, 60), policy=POLICIES)
def test_once_a_year_on_the_members_day_at_the_named_hour(
    zone: ZoneInfo, birthday: Birthday, at: time, days_before: int, policy: LeapDay
) -> None:
    campaign = BirthdayCampaign(
        id="birthday",
        days_before=days_before,
        at=at,
        leap_day=policy,
        channels=("email",),
        template="birthday",
        purpose="marketing",
        tolerance=Duration(),
    )
    member = Celebrant(MemberId("m"), "active", zone, birthday, LONG_AGO)
    reign = Reign(Rules(1, (), (), (campaign,), UTC), LONG_AGO, None)
    found = list(celebrations(member, [reign], date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)))
    assert [each.year for each in found] == list(range(FIRST_YEAR, LAST_YEAR + 1))
    for each in found:
        assert birthday in birthdays_on(each.day)
        wanted = datetime.combine(each.day - timedelta(days=days_before), at)
        shown = each.due_at.astimezone(zone).replace(tzinfo=None)
        assert shown == wanted or _is_jumped_over(wanted, shown, each.due_at, zone)


@given(zone=ZONES, day=st.dates(date(1970, 1, 2), date(2037, 12, 30)), at=HOURS)
def test_the_first_instant_is_the_first_to_reach_the_hour(zone: ZoneInfo, day: date, at: time) -> None:
    instant = first_instant(day, at, zone)
    moment_before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    shown = instant.astimezone(zone).replace(tzinfo=None)
    assert moment_before < datetime.combine(day, at) <= shown


def _is_jumped_over(wanted: datetime, shown: datetime, instant: datetime, zone: ZoneInfo) -> bool:
    moment_before = (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    return moment_before < wanted < shown
