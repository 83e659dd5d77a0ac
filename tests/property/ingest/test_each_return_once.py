"""A return, its sale and the registration of the sale's card in any order, again and again, in any batches: the return
is counted exactly where its sale is, once, for the sale's member, and behind it."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import register, rematch
from services.ingest.application.ports import Submission
from services.ingest.domain.identity import EventId
from tests.property.ingest.memory import NOW, MemoryBooks, MemoryRegister, MemoryReturns
from tests.support.coming_back import BACKS, Back, chain_of, returned
from tests.support.sales import CARDS, OWNERS, Registered, Send, event_id, submission

Step = Send | Back | Registered

sends = st.builds(Send, st.integers(0, 2), st.just(0), st.sampled_from([CARDS[0], CARDS[2], CARDS[3]]))


@st.composite
def histories(draw: st.DrawFn) -> list[list[Step]]:
    steps: list[Step] = [*draw(st.lists(sends, min_size=1, max_size=5)), *draw(st.lists(BACKS, max_size=7))]
    steps += draw(st.lists(st.sampled_from(steps), max_size=4))
    steps += [Registered(OWNERS[card], 1, frozenset([card])) for card in draw(st.sets(st.sampled_from(CARDS[:3:2])))]
    ordered = draw(st.permutations(steps))
    cuts = sorted(draw(st.sets(st.integers(1, len(steps)), max_size=5)) | {0, len(steps)})
    return [ordered[start:end] for start, end in pairwise(cuts)]


async def play(batches: list[list[Step]]) -> MemoryBooks:
    books = MemoryBooks()
    members, returns = MemoryRegister(books), MemoryReturns(books)
    for batch in batches:
        await admit(books, returns, [sent(each) for each in batch if not isinstance(each, Registered)], Moment(NOW))
        states = [each.state() for each in batch if isinstance(each, Registered)]
        await register(books, members, returns, states, NOW)
    assert await rematch(books, members, returns, NOW) == 0, "nothing is left for the backstop"
    return books


def sent(step: Send | Back) -> Submission:
    return submission(step) if isinstance(step, Send) else returned(step)


@given(histories())
def test_what_comes_back_is_counted_where_its_sale_is(batches: list[list[Step]]) -> None:
    books = asyncio.run(play(batches))

    steps = [step for batch in batches for step in batch]
    sold = {row.event_id: row.member_id for row in books.purchases if row.event_id.int < event_id(1000).int}
    backs = {step for step in steps if isinstance(step, Back)}
    present = {back.event_id for back in backs} | sold.keys()
    expected = {
        back.event_id: sold[chain_of(back)[-1]] for back in backs if all(each in present for each in chain_of(back))
    }
    found = [(row.event_id, row.member_id) for row in books.purchases if row.event_id not in sold]
    assert sorted(found) == sorted(expected.items())


@given(histories())
def test_what_comes_back_leaves_behind_its_original(batches: list[list[Step]]) -> None:
    books = asyncio.run(play(batches))

    place: dict[EventId, int] = {row.event_id: number for number, row in enumerate(books.purchases)}
    for step in (step for batch in batches for step in batch if isinstance(step, Back)):
        if step.event_id in place:
            assert place[step.original_id] < place[step.event_id]
