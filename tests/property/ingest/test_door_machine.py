"""Sales, registrations, claims, time and decisions in any order: a sale is one member's at most, never after its time,
and a second sale that was let in is counted once."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import register, rematch
from services.ingest.application.deciding import (
    ConflictUnknown,
    DecidedOtherwise,
    Desk,
    MembersConflict,
    Ruling,
    Verdict,
)
from services.ingest.application.ending import give_up, lapse
from services.ingest.application.ports import Submission
from services.ingest.application.receipts import claim, take_hold
from services.ingest.application.refusals import CheckoutUnknown
from services.ingest.domain.admission import Arrival, Fate, Reason, Standing
from services.ingest.domain.claim import AlreadyClaimed, Lapsed, MemberNotRegistered, NotClaimable
from services.ingest.domain.identity import EventId, MemberId, second_id
from tests.property.ingest.memory import NOW, MemoryBooks, MemoryConflicts, MemoryOverdue, MemoryRegister, MemoryReturns
from tests.support.coming_back import BACKS, Back, returned
from tests.support.sales import CARDS, OWNERS, Registered, Send, event_id, reopen, submission

WINDOW = timedelta(days=30)
NUMBERS = st.integers(0, 1)
SENDS = st.builds(Send, NUMBERS, st.sampled_from([0, 0, 0, 1]), st.sampled_from([None, *CARDS]))
WAITS = (Fate.UNCLAIMED, Fate.WAITING)
REFUSALS = (AlreadyClaimed, CheckoutUnknown, Lapsed, MemberNotRegistered, NotClaimable)
UNDECIDED = (ConflictUnknown, DecidedOtherwise, MembersConflict)


class Door(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.books = MemoryBooks()
        self.members, self.returns = MemoryRegister(self.books), MemoryReturns(self.books)
        self.overdue = MemoryOverdue(self.books)
        conflicts = MemoryConflicts(self.books)
        self.desk = Desk(self.books, self.returns, conflicts, conflicts)
        self.cards: dict[MemberId, frozenset[bytes]] = {}
        self.topic: list[Submission] = []
        self.first: dict[EventId, Arrival] = {}
        self.began: dict[EventId, datetime] = {}
        self.last: dict[EventId, Standing] = {}

    @rule(batch=st.lists(SENDS | SENDS | BACKS, min_size=1, max_size=3))
    def tills_send(self, batch: list[Send | Back]) -> None:
        sent = [submission(each) if isinstance(each, Send) else returned(each) for each in batch]
        run(admit(self.books, self.returns, sent, self.moment))
        self.topic += sent
        for each in sent:
            self.first.setdefault(each.arrival.event_id, each.arrival)

    @rule()
    def checkouts_are_read_again(self) -> None:
        before = self.counted()
        run(admit(self.books, self.returns, self.topic, self.moment))
        assert self.counted() == before

    @rule(card=st.sampled_from(CARDS[:3]))
    def a_card_is_registered(self, card: bytes) -> None:
        member = OWNERS[card]
        self.cards[member] = self.cards.get(member, frozenset()) | {card}
        state = replace(Registered(member, 0, self.cards[member]).state(), version=len(self.cards[member]))
        run(register(self.books, self.members, self.returns, [state], self.now))

    @rule(number=NUMBERS, card=st.sampled_from(CARDS), second=st.booleans())
    def a_receipt_is_claimed(self, number: int, card: bytes, second: bool) -> None:
        wanted = second_id(event_id(number), bytes([1]) * 32) if second else event_id(number)
        before = self.books.entries.get(wanted)
        try:
            receipt = run(take_hold(self.books, wanted, card, lambda _source: True))
            run(claim(self.books, self.returns, reopen, receipt, self.now))
        except REFUSALS:
            assert self.books.entries.get(wanted) == before
        else:
            standing = self.books.entries[wanted].standing
            assert standing is not None
            assert standing.member_id == OWNERS[card]

    @rule(number=NUMBERS, content=st.integers(0, 1), verdict=st.sampled_from(Verdict))
    def a_person_decides(self, number: int, content: int, verdict: Verdict) -> None:
        ruling = Ruling(verdict, "ann", "she looked")
        try:
            first = run(self.desk.decide(event_id(number), bytes([content]) * 32, ruling, self.moment))
        except UNDECIDED:
            return
        counted = self.counted()
        assert run(self.desk.decide(event_id(number), bytes([content]) * 32, ruling, self.moment)) == first
        assert self.counted() == counted

    @rule(days=st.sampled_from([1, 10, 30]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule()
    def the_jobs_come_by(self) -> None:
        run(lapse(self.books, self.overdue, self.now))
        run(give_up(self.books, self.overdue, self.now))
        assert run(rematch(self.books, self.members, self.returns, self.now)) == 0, "nothing is left for the backstop"

    @invariant()
    def each_is_counted_once_where_it_is_accepted(self) -> None:
        accepted = {each: standing.member_id for each, standing in self.standings() if standing.fate is Fate.ACCEPTED}
        assert {row.event_id: row.member_id for row in self.books.purchases} == accepted
        assert len(self.books.purchases) == len(accepted)

    @invariant()
    def nothing_is_accepted_after_its_time_and_what_ended_stays(self) -> None:
        for each, standing in self.standings():
            before = self.last.get(each)
            if before is None:
                self.began[each] = self.now
            elif standing.fate is not before.fate:
                assert before.fate in WAITS
                ended = self.now >= self.began[each] + WINDOW
                assert standing.fate in ((Fate.LAPSED, Fate.REVIEW) if ended else (Fate.ACCEPTED, Fate.REVIEW))
            self.last[each] = standing

    @invariant()
    def the_same_again_is_never_a_conflict(self) -> None:
        for row in (each.row for each in self.books.filed if each.row.event_id in self.first):
            first = self.first[row.event_id]
            assert (row.fingerprint, row.identity) != (first.fingerprint, first.identity)

    @invariant()
    def what_comes_back_belongs_to_the_member_of_its_original(self) -> None:
        standings = dict(self.standings())
        for standing in standings.values():
            if standing.fate is Fate.ACCEPTED and standing.original_id is not None:
                assert standings[standing.original_id].member_id == standing.member_id

    @invariant()
    def outcomes_are_numbered_without_gaps(self) -> None:
        for each, standing in self.standings():
            numbers = [row.outcome_seq for row in self.books.outcomes if row.event_id == each]
            assert numbers == list(range(1, standing.outcomes + 1))

    @invariant()
    def a_second_checkout_is_one_that_a_person_let_in(self) -> None:
        let_in = {
            each.ruling.accepted_as for each in self.books.filed if each.ruling is not None and each.ruling.accepted_as
        }
        assert {each for each, _ in self.standings() if each not in KNOWN} == let_in
        assert all(each.row.reason is Reason.OTHER_CONTENT for each in self.books.filed if is_let_in(each))

    def counted(self) -> object:
        fates = {each: standing.fate for each, standing in self.standings()}
        return len(self.books.purchases), len(self.books.outcomes), len(self.books.filed), fates

    @property
    def moment(self) -> Moment:
        return Moment(self.now, self.now + WINDOW)

    def standings(self) -> list[tuple[EventId, Standing]]:
        return [(each, entry.standing) for each, entry in self.books.entries.items() if entry.standing is not None]


def is_let_in(filed: Any) -> bool:
    return filed.ruling is not None and filed.ruling.verdict is Verdict.ACCEPTED_SECOND


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


KNOWN = {event_id(number) for number in range(2)} | {
    Back(sale, number, is_void).event_id for sale in range(3) for number in range(2) for is_void in (False, True)
}
Door.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
test_the_door_keeps_its_promises_whatever_happens = Door.TestCase
