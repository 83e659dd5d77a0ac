"""Inside the domain every instant is in UTC: aware datetimes of one zone compare without a look-up of offsets."""

from datetime import UTC, datetime
from functools import lru_cache

FAR_PAST = datetime.min.replace(tzinfo=UTC)
FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC; ValueError when it carries no offset."""
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        raise ValueError(f"instant without an offset: {at.isoformat()}")
    return at.astimezone(UTC)


def instant_text(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`, microseconds only where they are not zero: one text per instant."""
    return in_utc(at).isoformat()[:-6] + "Z"


@lru_cache(maxsize=65_536)
def parse_instant(text: str) -> datetime:
    """Reads what `instant_text` wrote."""
    return in_utc(datetime.fromisoformat(text))
