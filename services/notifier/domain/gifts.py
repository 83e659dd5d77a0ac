"""What a campaign gives beside its message."""

from dataclasses import dataclass
from datetime import datetime

from services.notifier.domain.messages import MemberId


@dataclass(frozen=True, slots=True)
class Gift:
    """Given once for an occasion, whatever becomes of the message; the ledger knows how much, from the programme in
    force at `occurred_at`."""

    member_id: MemberId
    campaign: str
    occurrence: str
    occurred_at: datetime

    @property
    def reference(self) -> str:
        return f"{self.campaign}/{self.occurrence}"
