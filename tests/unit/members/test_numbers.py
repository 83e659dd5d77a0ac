from hypothesis import given
from hypothesis import strategies as st

from services.members.domain.numbers import NUMBER_DIGITS, member_number
from tests.support.check_digits import checks


@given(st.integers(min_value=0, max_value=2**64))
def test_a_member_number_is_twelve_digits_that_check(drawn: int) -> None:
    number = member_number(drawn)
    assert len(number) == NUMBER_DIGITS
    assert number[0] != "0"
    assert checks(number)


@given(st.integers(min_value=0, max_value=2**64), st.integers(0, NUMBER_DIGITS - 1), st.integers(1, 9))
def test_one_mistyped_digit_is_noticed(drawn: int, place: int, step: int) -> None:
    number = member_number(drawn)
    wrong = str((int(number[place]) + step) % 10)
    assert not checks(number[:place] + wrong + number[place + 1 :])
