import pytest

from services.members.domain.birthday import days_in_month


@pytest.mark.parametrize(
    ("calendar", "month", "year", "days"),
    [
        pytest.param("gregorian", 2, None, 29, id="without a year February has a 29th"),
        pytest.param("gregorian", 2, 1992, 29, id="leap year"),
        pytest.param("gregorian", 2, 1991, 28, id="common year"),
        pytest.param("gregorian", 2, 1900, 28, id="a century is no leap year"),
        pytest.param("gregorian", 4, None, 30, id="April"),
        pytest.param("lunar", 12, None, 30, id="the last lunar month can have thirty days"),
        pytest.param("lunar", 2, 1991, 30, id="a lunar February is no February"),
    ],
)
def test_a_month_has_its_days(calendar: str, month: int, year: int | None, days: int) -> None:
    assert days_in_month("lunar" if calendar == "lunar" else "gregorian", month, year) == days
