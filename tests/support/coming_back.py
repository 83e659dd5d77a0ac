"""Returns and voids of the sales in `sales`: what a till sends, and the chain of originals behind it."""

from dataclasses import dataclass
from uuid import UUID

from hypothesis import strategies as st

from services.ingest.application.ports import Submission
from services.ingest.domain.admission import Arrival, Kind
from services.ingest.domain.identity import EventId
from tests.support.sales import CARDS, START, PlainPaper, event_id


@dataclass(frozen=True)
class Back:
    """Return `number` of sale `sale`, or with `is_void` the void of that return."""

    sale: int
    number: int
    is_void: bool = False

    @property
    def event_id(self) -> EventId:
        return EventId(UUID(int=event_id(10_000).int + 100 * self.sale + 10 * self.number + self.is_void))

    @property
    def original_id(self) -> EventId:
        return Back(self.sale, self.number).event_id if self.is_void else event_id(self.sale)


BACKS = st.builds(Back, st.integers(0, 2), st.integers(0, 1), st.booleans())


def chain_of(back: Back) -> list[EventId]:
    """The originals of what comes back, the sale last."""
    return [back.original_id, event_id(back.sale)] if back.is_void else [event_id(back.sale)]


def returned(back: Back, card: bytes | None = CARDS[1]) -> Submission:
    """Shown with a card that need not be the sale's."""
    kind = Kind.VOID if back.is_void else Kind.RETURN
    arrival = Arrival(back.event_id, kind, b"r" * 32, card, back.original_id)
    return Submission(arrival, "pos.acme", "pos.acme/1/1", "CNY", START, PlainPaper(arrival.event_id))
