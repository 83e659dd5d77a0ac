"""Member numbers: twelve digits, the last of them a check digit, so that a mistyped one is seen at the till."""

NUMBER_DIGITS = 12
_RANDOM_DIGITS = NUMBER_DIGITS - 1


def member_number(drawn: int) -> str:
    """The number for a drawn integer of any size; its first digit is never 0."""
    body = str(10 ** (_RANDOM_DIGITS - 1) + drawn % (9 * 10 ** (_RANDOM_DIGITS - 1)))
    return body + str(_check_digit(body))


def _check_digit(body: str) -> int:
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(body)))
    return -sum(value // 10 + value % 10 for value in doubled) % 10
