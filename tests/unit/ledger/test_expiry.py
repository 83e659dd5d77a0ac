from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.ledger.domain.expiry import Duration, PeriodEnd, Validity, add, expires_at, parse_duration
from tests.unit.ledger.builders import SHANGHAI, local


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P12M", Duration(months=12)),
        ("P1Y6M", Duration(months=18)),
        ("P2W", Duration(days=14)),
        ("P1Y2M3W4DT5H6M7S", Duration(months=14, days=25, seconds=5 * 3600 + 6 * 60 + 7)),
        ("PT15M", Duration(seconds=900)),
    ],
)
def test_a_duration_is_read_from_its_iso_text(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "P", "PT", "12M", "P1.5M", "-P1M", "P1M ", "P1D2M", "p1m"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (local(2026, 1, 31, 10), 1, local(2026, 2, 28, 10)),
        (local(2028, 1, 31, 10), 1, local(2028, 2, 29, 10)),
        (local(2028, 2, 29), 12, local(2029, 2, 28)),
        (local(2026, 12, 15), 1, local(2027, 1, 15)),
        (local(2026, 3, 11), 24, local(2028, 3, 11)),
    ],
)
def test_a_month_that_is_too_short_clips(start: datetime, months: int, end: datetime) -> None:
    assert add(start, Duration(months=months), SHANGHAI) == end


def test_days_keep_the_wall_time_when_the_clocks_change_and_hours_do_not() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    evening_before = datetime(2026, 3, 28, 12, tzinfo=berlin)

    assert add(evening_before, Duration(days=1), berlin) == datetime(2026, 3, 29, 12, tzinfo=berlin)
    assert add(evening_before, Duration(seconds=86_400), berlin) == datetime(2026, 3, 29, 13, tzinfo=berlin)


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("none", local(2027, 3, 11, 9, 30)),
        ("end_of_day", local(2027, 3, 12)),
        ("end_of_month", local(2027, 4, 1)),
        ("end_of_quarter", local(2027, 4, 1)),
        ("end_of_half_year", local(2027, 7, 1)),
        ("end_of_year", local(2028, 1, 1)),
    ],
)
def test_an_expiry_is_rounded_to_the_first_instant_after_its_period(period: PeriodEnd, end: datetime) -> None:
    assert expires_at(local(2026, 3, 11, 9, 30), Validity(Duration(months=12), period), SHANGHAI) == end


def test_the_first_instant_of_a_period_belongs_to_it() -> None:
    april = expires_at(local(2026, 4, 1), Validity(Duration(months=12), "end_of_month"), SHANGHAI)

    assert april == local(2027, 5, 1)


def test_the_period_is_the_one_of_the_programmes_zone() -> None:
    new_year_in_shanghai = datetime(2026, 12, 31, 16, tzinfo=UTC)

    assert expires_at(new_year_in_shanghai, Validity(Duration(), "end_of_day"), SHANGHAI) == local(2027, 1, 2)


def test_a_midnight_that_the_clocks_skip_is_the_first_instant_after_it() -> None:
    santiago = ZoneInfo("America/Santiago")
    skipped = expires_at(datetime(2026, 9, 5, 12, tzinfo=santiago), Validity(Duration(), "end_of_day"), santiago)

    assert skipped == datetime(2026, 9, 6, 1, tzinfo=santiago)


def test_points_without_a_duration_never_expire() -> None:
    assert expires_at(local(2026, 3, 11), Validity(), SHANGHAI) is None
