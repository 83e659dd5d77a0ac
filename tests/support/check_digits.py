"""The check digit of ISO/IEC 7812, reckoned from the table that is printed in it."""

DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def checks(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(DOUBLED[digit] for digit in digits[1::2])) % 10 == 0
