"""What comes in and what is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.tiering.domain.windows import Window

Reason = Literal["reached", "late_purchase", "period_end"]


@dataclass(frozen=True, slots=True)
class Qualified:
    """A points fact as standing sees it; `amounts` by qualifying unit, empty where it qualifies for nothing."""

    event_id: str
    occurred_at: datetime
    amounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TierChanged:
    """A change of standing with its evidence; tier None is the base tier below the first level."""

    member_id: str
    member_seq: int
    event_id: str
    from_tier: str | None
    to_tier: str | None
    reason: Reason
    occurred_at: datetime
    effective_from: datetime
    recorded_at: datetime
    valid_until: datetime | None
    metric: int
    threshold: int
    unit: str
    window: Window
    programme_version: int
    retroactive: bool
