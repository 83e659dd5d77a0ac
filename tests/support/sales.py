"""Sales and registrations in any order, and what must come of them: the model of the door's promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from services.ingest.application.ports import Entry, Submission, Told
from services.ingest.domain.admission import Arrival, ClaimedBy, Kind
from services.ingest.domain.identity import EventId, MemberId
from services.ingest.domain.ownership import MemberIdentities

CARDS = (b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32)
OWNERS = {CARDS[0]: MemberId(UUID(int=1)), CARDS[1]: MemberId(UUID(int=1)), CARDS[2]: MemberId(UUID(int=2))}
"""Who will have which card once registered; the last card is never anybody's."""

START = datetime(2026, 3, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Send:
    """A till sends sale `number`, saying `content`, showing `card` or none."""

    number: int
    content: int
    card: bytes | None


@dataclass(frozen=True)
class Registered:
    """The member has exactly these of the cards that are theirs."""

    member_id: MemberId
    version: int
    cards: frozenset[bytes]

    def state(self) -> MemberIdentities:
        at = START + timedelta(hours=self.version)
        return MemberIdentities(self.member_id, self.version, "active", at, self.cards)


@dataclass(frozen=True)
class PlainPaper:
    """Writes as little as the tables take."""

    event_id: EventId

    def plain(self) -> bytes:
        return b"plain"

    def sealed(self) -> bytes:
        return b"sealed"

    def as_purchase(self, member_id: MemberId, claimed_by: ClaimedBy, recorded_at: datetime) -> bytes:
        return f"{self.event_id} {member_id} {claimed_by}".encode()

    def as_outcome(self, told: Told, sealed: bytes) -> bytes:
        return f"{self.event_id} {told.outcome_seq} {told.fate} {told.reason}".encode()


def reopen(entry: Entry) -> PlainPaper:
    return PlainPaper(entry.event_id)


def event_id(number: int) -> EventId:
    return EventId(UUID(int=1000 + number))


def submission(send: Send) -> Submission:
    arrival = Arrival(event_id(send.number), Kind.SALE, bytes([send.content]) * 32, send.card)
    return Submission(arrival, "pos.acme", "pos.acme/1/1", "CNY", START, PlainPaper(arrival.event_id))


def expected_purchases(sends: Sequence[Send], cards: frozenset[bytes]) -> Mapping[EventId, MemberId]:
    """Each sale is its first content's, the first card's shown with it, and counted once that card is registered."""
    purchases: dict[EventId, MemberId] = {}
    for number in {send.number for send in sends}:
        mine = [send for send in sends if send.number == number]
        shown = [send.card for send in mine if send.content == mine[0].content and send.card is not None]
        if shown and shown[0] in cards:
            purchases[event_id(number)] = OWNERS[shown[0]]
    return purchases


SENDS = st.builds(Send, st.integers(0, 3), st.sampled_from([0, 0, 0, 1]), st.sampled_from([None, *CARDS]))


@st.composite
def registrations(draw: st.DrawFn) -> list[Registered]:
    """Each member's versions, in order, each with more of the cards than the one before."""
    steps: list[Registered] = []
    for member_id in sorted(set(OWNERS.values())):
        cards = draw(st.permutations([card for card, owner in OWNERS.items() if owner == member_id]))
        upto = draw(st.integers(0, len(cards)))
        steps += [Registered(member_id, version, frozenset(cards[:version])) for version in range(1, upto + 1)]
    return steps
