"""Whatever is sent twice, out of order, before or after its registration: each sale is counted at most once, and
exactly once where its member registered."""

import asyncio
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import register, rematch
from tests.property.ingest.memory import NOW, MemoryBooks, MemoryRegister, MemoryReturns
from tests.support.sales import SENDS, Registered, Send, expected_purchases, registrations, submission

Step = Send | Registered


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Sends in any order, some again, and registrations in theirs, interleaved."""
    sends = draw(st.lists(SENDS, min_size=1, max_size=12))
    sends += draw(st.lists(st.sampled_from(sends), max_size=6))
    members = draw(registrations())
    slots = sorted(draw(st.lists(st.integers(0, len(sends)), min_size=len(members), max_size=len(members))))
    history: list[Step] = list(sends)
    for slot, member in reversed(list(zip(slots, members, strict=True))):
        history.insert(slot, member)
    return history


async def play(history: list[Step], batch_limit: int) -> tuple[MemoryBooks, int]:
    books = MemoryBooks()
    members, returns, met = MemoryRegister(books), MemoryReturns(books), 0
    for is_send, steps in groupby(history, lambda step: isinstance(step, Send)):
        batch = list(steps)
        for start in range(0, len(batch), batch_limit):
            part = batch[start : start + batch_limit]
            if is_send:
                sent = [submission(step) for step in part if isinstance(step, Send)]
                met += sum((await admit(books, returns, sent, Moment(NOW))).values())
            else:
                states = [step.state() for step in part if isinstance(step, Registered)]
                await register(books, members, returns, states, NOW)
    assert await rematch(books, members, returns, NOW) == 0, "nothing is left for the backstop when nothing goes wrong"
    return books, met


@given(histories(), st.integers(1, 8))
def test_each_sale_is_counted_once_if_its_member_registered_and_else_not_at_all(
    history: list[Step], batch_limit: int
) -> None:
    books, met = asyncio.run(play(history, batch_limit))
    sends = [step for step in history if isinstance(step, Send)]
    cards = frozenset(card for step in history if isinstance(step, Registered) for card in step.cards)
    found = {row.event_id: row.member_id for row in books.purchases}
    assert len(found) == len(books.purchases), "counted twice"
    assert found == expected_purchases(sends, cards)
    assert met == len(sends), "every send meets exactly one decision"


@given(histories())
def test_nothing_that_was_sent_is_lost(history: list[Step]) -> None:
    books, _ = asyncio.run(play(history, 8))
    sends = [step for step in history if isinstance(step, Send)]
    duplicates = sum(entry.standing.duplicates for entry in books.entries.values() if entry.standing)
    told = {row.event_id for row in books.outcomes} | {row.event_id for row in books.purchases}
    assert told == {submission(send).arrival.event_id for send in sends}
    first_and_claims = len(books.outcomes) + sum(b"registration" not in row.body for row in books.purchases)
    assert duplicates + len(books.conflicts) + first_and_claims == len(sends)


@given(histories())
def test_outcomes_of_a_sale_are_numbered_without_gaps(history: list[Step]) -> None:
    books, _ = asyncio.run(play(history, 3))
    for event_id in books.entries:
        numbers = [row.outcome_seq for row in books.outcomes if row.event_id == event_id]
        assert numbers == list(range(1, len(numbers) + 1))
