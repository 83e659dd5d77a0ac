"""What the door has sealed, read again: as the paper of the id under which it stands, or as a sale of its own."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import to_json

from schemas.checkouts import Checkout
from services.ingest.adapters.papers import outcome_value, seal_context
from services.ingest.adapters.reading import submission_of
from services.ingest.application.deciding import Ruling
from services.ingest.application.ports import ConflictRow, Entry, Paper, Submission, Told
from services.ingest.domain.identity import EventId, second_id
from services.runtime.seal import Seal


@dataclass(frozen=True, slots=True)
class Reopener:
    """Needs the seal alone: the identity was read when it came, by the rules and the key of that day."""

    seal: Seal
    declared: Collection[str]

    def reopen(self, entry: Entry) -> Paper:
        assert entry.standing is not None, "a placeholder has no paper"
        assert entry.sealed is not None, "only what waits is kept"
        checkout = self.opened(entry.event_id, entry.sealed)
        return self._submission(checkout, entry.standing.identity, entry.event_id).paper

    def second(self, conflict: ConflictRow) -> Submission:
        checkout = self.opened(conflict.event_id, conflict.sealed)
        own_id = second_id(conflict.event_id, conflict.fingerprint)
        return self._submission(checkout, conflict.identity, own_id)

    def ruled(self, first: Entry, conflict: ConflictRow, ruling: Ruling, decided_at: datetime) -> bytes:
        standing = first.standing
        assert standing is not None, "a conflict is with what was seen before"
        told = Told(standing.outcomes, standing.fate, standing.reason, decided_at, standing.waits_until)
        value = outcome_value(first.event_id, told, standing, first.source, first.occurred_at, conflict.sealed)
        decision = {
            "verdict": ruling.verdict,
            "reason": conflict.reason,
            "fingerprint": conflict.fingerprint.hex(),
            "identity_digest": None if conflict.identity is None else conflict.identity.hex(),
            "accepted_as": ruling.accepted_as,
            "decided_by": ruling.by,
            "why": ruling.why,
        }
        return to_json(value | {"conflict": {name: each for name, each in decision.items() if each is not None}})

    def opened(self, event_id: EventId, sealed: bytes) -> Checkout:
        return Checkout.taken_in(self.seal.open(sealed, seal_context(event_id)))

    def _submission(self, checkout: Checkout, identity: bytes | None, event_id: EventId) -> Submission:
        return submission_of(checkout, identity, self.seal, self.declared, event_id=event_id)
