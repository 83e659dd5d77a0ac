from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from schemas.base import Instant
from services.ingest.adapters.programme import window_of
from services.ingest.domain.programme import ClaimWindow, ProgrammeVersion, waits_until

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 1, tzinfo=UTC)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("window", "recorded_at", "end"),
    [
        pytest.param("P30D", local("2026-01-31T10:00"), local("2026-03-02T10:00"), id="thirty days"),
        pytest.param("P1M", local("2026-01-31T10:00"), local("2026-02-28T10:00"), id="a month clips"),
        pytest.param("P1M", local("2028-01-31T10:00"), local("2028-02-29T10:00"), id="a month clips in a leap year"),
        pytest.param("P2M", local("2026-12-31T23:59"), local("2027-02-28T23:59"), id="over the year's end"),
        pytest.param("P1Y", local("2028-02-29T10:00"), local("2029-02-28T10:00"), id="a year from a leap day"),
        pytest.param("P1M", local("2026-03-01T01:00"), local("2026-04-01T01:00"), id="by the zone's calendar"),
        pytest.param("P1M", local("2026-03-15T09:00", BERLIN), local("2026-04-15T09:00", BERLIN), id="summer begins"),
        pytest.param("P1W2DT36H", local("2026-03-01T00:00"), local("2026-03-11T12:00"), id="weeks, days and hours"),
        pytest.param("P1MT90M30S", local("2026-01-31T00:00"), local("2026-02-28T01:30:30"), id="months and minutes"),
        pytest.param("P0D", local("2026-03-01T00:00"), local("2026-03-01T00:00"), id="not at all"),
    ],
)
def test_a_claim_window_ends(window: str, recorded_at: datetime, end: datetime) -> None:
    zone = recorded_at.tzinfo
    assert zone is not None
    assert window_of(window).end(recorded_at.astimezone(UTC), zone) == end


@pytest.mark.parametrize("window", ["P99999999999999999999Y", "P99999999999999999999D", "P999999999999MT9999999999H"])
def test_a_window_beyond_all_calendars_is_very_long(window: str) -> None:
    end = window_of(window).end(START, UTC)
    assert end >= START + timedelta(days=36_500)
    assert TypeAdapter(Instant).validate_python(end) == end, "answers and outcomes can tell it"


def version(number: int, starts_at: datetime, days: int) -> ProgrammeVersion:
    return ProgrammeVersion(number, starts_at, "CNY", ClaimWindow(rest=timedelta(days=days)))


def test_the_window_is_that_of_the_version_in_force_when_it_is_recorded() -> None:
    versions = [version(1, START, 30), version(2, START + timedelta(days=10), 5)]
    before, after = START + timedelta(days=9), START + timedelta(days=10)
    assert waits_until(versions, before) == before + timedelta(days=30)
    assert waits_until(versions, after) == after + timedelta(days=5)


def test_before_the_first_version_starts_its_window_is_the_one() -> None:
    assert waits_until([version(1, START, 30)], START - timedelta(days=1)) == START + timedelta(days=29)
    assert waits_until([], START) is None
