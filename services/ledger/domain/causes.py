"""What every fact begins with: which event caused it, when, and from which record."""

from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.ids import EventId


class SourcePosition(NamedTuple):
    """The Kafka record that caused a fact."""

    topic: str
    partition: int
    offset: int


class Cause(NamedTuple):
    """The header of every fact; part 0 is the decision itself, 1, 2 … are what it dragged along, in stream order."""

    event_id: EventId
    part: int
    occurred_at: datetime
    recorded_at: datetime
    position: SourcePosition | None
