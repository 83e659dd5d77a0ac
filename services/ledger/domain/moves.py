"""Points move between buckets and do nothing else."""

from enum import StrEnum
from typing import NamedTuple, Self


class Bucket(StrEnum):
    """Where points of a unit can be.

    The first three are where points come from (`issued`, `received`) or are owed (`debt`): taking from them makes them
    larger. The other seven hold points: taking from them makes them smaller. The two groups always have equal sums.
    """

    position: int
    sign: int

    def __new__(cls, value: str, position: int, sign: int) -> Self:
        # Enum hashes and values are slow in the hot path: each bucket carries its place in a balance and its sign.
        bucket = str.__new__(cls, value)
        bucket._value_ = value
        bucket.position = position
        bucket.sign = sign
        return bucket

    ISSUED = "issued", 0, -1
    RECEIVED = "received", 1, -1
    DEBT = "debt", 2, -1
    PENDING = "pending", 3, 1
    AVAILABLE = "available", 4, 1
    HELD = "held", 5, 1
    SPENT = "spent", 6, 1
    EXPIRED = "expired", 7, 1
    REVERSED = "reversed", 8, 1
    SENT = "sent", 9, 1


SOURCES = 3


class Move(NamedTuple):
    """`points` (> 0, smallest steps) of one lot go from `source` to `target`; lot "" where none is touched."""

    unit: str
    lot: str
    source: Bucket
    target: Bucket
    points: int
