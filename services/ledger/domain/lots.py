"""A lot is all points of one (unit, expiry, activation) of a member."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from services.ledger.domain.instants import FAR_FUTURE, FAR_PAST, instant_text, parse_instant

NEVER = "never"


class LotTerms(NamedTuple):
    """What a lot's id says; None = never expires, was never pending."""

    unit: str
    expires_at: datetime | None
    activates_at: datetime | None


class Lot(NamedTuple):
    """What a member still has of a lot; spent and expired points are no longer in it."""

    id: str
    unit: str
    expires_at: datetime | None
    activates_at: datetime | None
    pending: int
    available: int
    held: int


def lot_id(unit: str, expires_at: datetime | None, activates_at: datetime | None = None) -> str:
    """`points@2027-03-31T16:00:00Z`, `points@never`, with `+<activation>` behind it for what started as pending."""
    expiry = NEVER if expires_at is None else instant_text(expires_at)
    return f"{unit}@{expiry}" if activates_at is None else f"{unit}@{expiry}+{instant_text(activates_at)}"


@lru_cache(maxsize=65_536)
def lot_terms(lot: str) -> LotTerms:
    """Reads a lot's id back; ValueError when it is none."""
    unit, _, times = lot.partition("@")
    expiry, _, activation = times.partition("+")
    return LotTerms(
        unit,
        None if expiry == NEVER else parse_instant(expiry),
        parse_instant(activation) if activation else None,
    )


def consumption_order(lots: Iterable[Lot]) -> list[Lot]:
    """Soonest expiry first, never-expiring last, then older first."""
    return sorted(lots, key=lambda lot: (lot.expires_at or FAR_FUTURE, lot.activates_at or FAR_PAST, lot.id))
