"""One spelling of JSON: sorted keys, no spaces, UTF-8, exact numbers."""

from fractions import Fraction
from json import JSONEncoder
from typing import Any

Json = dict[str, Any]

write_canonically = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def ratio_fields(ratio: Fraction) -> list[int]:
    """An exact number as numerator and denominator."""
    return [ratio.numerator, ratio.denominator]
