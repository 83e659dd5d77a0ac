"""Which version is in force, and from when."""

from datetime import UTC, datetime, timedelta

from services.programme.domain.versions import Version, in_force

LEAD = timedelta(minutes=15)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def version(number: int, effective_from: datetime, *, appended_at: datetime | None = None) -> Version:
    return Version(number, effective_from, NOON, "ann", appended_at)


def test_the_first_version_starts_when_it_says() -> None:
    long_ago = NOON - timedelta(days=900)
    assert version(1, long_ago, appended_at=NOON).starts_at(LEAD) == long_ago


def test_a_later_version_waits_for_the_lead_after_its_record() -> None:
    appended = NOON + timedelta(seconds=2)
    assert version(2, NOON - timedelta(days=1), appended_at=appended).starts_at(LEAD) == appended + LEAD


def test_a_version_planned_ahead_starts_when_it_says() -> None:
    ahead = NOON + timedelta(days=3)
    assert version(2, ahead, appended_at=NOON).starts_at(LEAD) == ahead


def test_the_highest_number_that_has_started_is_in_force() -> None:
    versions = [version(1, NOON - timedelta(days=9)), version(2, NOON), version(3, NOON + timedelta(days=1))]
    assert in_force(versions, NOON, LEAD) == versions[0]
    assert in_force(versions, NOON + LEAD, LEAD) == versions[1]
    assert in_force(versions, NOON + timedelta(days=2), LEAD) == versions[2]


def test_before_the_first_version_none_is_in_force() -> None:
    assert in_force([version(1, NOON)], NOON - timedelta(seconds=1), LEAD) is None
