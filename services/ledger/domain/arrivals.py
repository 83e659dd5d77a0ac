"""Has this event been here before? Asked before deciding: a decision happens once."""

from enum import StrEnum


class Arrival(StrEnum):
    """`conflict`: the same identity with other content, which a person has to look at."""

    FIRST = "first"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


def arrival(known_fingerprint: str | None, fingerprint: str) -> Arrival:
    """`known_fingerprint` is that of the fact with this event id and part 0 in the stream or earlier in the batch."""
    if known_fingerprint is None:
        return Arrival.FIRST
    return Arrival.DUPLICATE if known_fingerprint == fingerprint else Arrival.CONFLICT
