"""Durations on the calendar, as checks compare them."""

from datetime import datetime

import pytest

from services.programme.domain.durations import after, parse, rounded


def day(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-01-31T09:00", "P1M", "2026-02-28T09:00"),
        ("2028-01-31T09:00", "P1M", "2028-02-29T09:00"),
        ("2026-03-11T00:00", "P1Y2M3DT4H5M6S", "2027-05-14T04:05:06"),
        ("2026-03-11T00:00", "P2W", "2026-03-25T00:00"),
    ],
)
def test_months_clip_and_the_rest_is_added(start: str, duration: str, end: str) -> None:
    assert after(day(start), parse(duration)) == day(end)


@pytest.mark.parametrize(
    ("rounding", "end"),
    [
        ("none", "2026-08-11T10:00"),
        ("end_of_day", "2026-08-12T00:00"),
        ("end_of_month", "2026-09-01T00:00"),
        ("end_of_quarter", "2026-10-01T00:00"),
        ("end_of_half_year", "2027-01-01T00:00"),
        ("end_of_year", "2027-01-01T00:00"),
    ],
)
def test_a_rounding_ends_at_the_first_instant_after(rounding: str, end: str) -> None:
    assert rounded(day("2026-08-11T10:00"), rounding) == day(end)


@pytest.mark.parametrize("text", ["12M", "P1.5M", "P1001Y", "P99999999999D"])
def test_no_duration_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse(text)
