"""What the door turns away, before or instead of a decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.domain.identity import EventId


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: a JSON pointer into what was sent, a stable code, words that never quote the value."""

    pointer: str
    code: str
    detail: str


class Unreadable(Exception):
    """Not a valid checkout or activity: every fault found, at least one; `event_id` where that much could be read."""

    def __init__(self, faults: Sequence[Fault], event_id: EventId | None = None) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = tuple(faults)
        self.event_id = event_id


class TooLarge(Unreadable):
    """Above a limit in lines or bytes."""


class CheckoutUnknown(Exception):
    """No checkout has this id, or none that the asker may know of."""


class MemberUnknown(Exception):
    """Nobody has the identity given."""


class ActivityConflict(Exception):
    """Another activity stands under the same source, member, activity and reference."""

    def __init__(self, event_id: EventId) -> None:
        super().__init__("the same reference was sent before with other content")
        self.event_id = str(event_id)
