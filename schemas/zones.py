"""Which time-zone names exist (IANA)."""

from functools import cache
from zoneinfo import available_timezones


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def known_zone(name: str) -> str:
    """The name itself, or ValueError when IANA has no such zone."""
    if name not in _names():
        # The value is not quoted: where it came from a till it may be anything, and this text is kept in the clear.
        raise ValueError("not an IANA time zone; write for example Asia/Shanghai")
    return name
