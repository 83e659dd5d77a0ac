"""A return and its sale meet, whichever comes first: what waits for a checkout goes on once that one is accepted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.ingest.application.ports import Books, Entry, OutcomeRow, PurchaseRow, Returns, WaitingReturn
from services.ingest.domain.admission import ClaimedBy, Standing, given_up, released
from services.ingest.domain.identity import EventId, MemberId

RETURNS_MAX = 1_000
"""Returns let go or given up in one transaction; the next run of the job takes what is left."""


async def release(books: Books, returns: Returns, accepted: Mapping[EventId, MemberId], now: datetime) -> int:
    """Lets go what waits for these checkouts and what waits for that in turn (the void of a return); how many."""
    count = 0
    while accepted:
        waiting = await returns.lock_waiting(accepted.keys())
        let_go = [_released(each, accepted, now) for each in waiting]
        await books.save([entry for entry, _ in let_go])
        await books.add_purchases([purchase for _, purchase in let_go])
        count += len(let_go)
        accepted = {purchase.event_id: purchase.member_id for _, purchase in let_go}
    return count


async def release_matched(books: Books, returns: Returns, now: datetime) -> int:
    """The backstop: returns that wait although their original has been accepted."""
    return await release(books, returns, await returns.matched(RETURNS_MAX), now)


async def give_up(books: Books, returns: Returns, recorded_before: datetime, now: datetime) -> int:
    """Puts before a person what has waited for its original since before then; answers how many."""
    overdue = await returns.lock_overdue(recorded_before, RETURNS_MAX)
    told = [_given_up(each, now) for each in overdue]
    await books.save([entry for entry, _ in told])
    await books.add_outcomes([outcome for _, outcome in told])
    return len(told)


def _released(waiting: WaitingReturn, accepted: Mapping[EventId, MemberId], now: datetime) -> tuple[Entry, PurchaseRow]:
    standing, event_id = _standing(waiting), waiting.entry.event_id
    assert standing.original_id is not None, "it waits for something"
    member_id = accepted[standing.original_id]
    body = waiting.paper.as_purchase(member_id, ClaimedBy.TILL, now)
    after = replace(waiting.entry, standing=released(standing, member_id), sealed=None)
    return after, PurchaseRow(event_id, member_id, now, body)


def _given_up(waiting: WaitingReturn, now: datetime) -> tuple[Entry, OutcomeRow]:
    standing, event_id = given_up(_standing(waiting)), waiting.entry.event_id
    sealed = waiting.entry.sealed or waiting.paper.sealed()
    body = waiting.paper.as_outcome(standing.outcomes, standing.fate, standing.reason, now, sealed)
    return replace(waiting.entry, standing=standing), OutcomeRow(event_id, standing.outcomes, now, body)


def _standing(waiting: WaitingReturn) -> Standing:
    assert waiting.entry.standing is not None, "a placeholder does not wait"
    return waiting.entry.standing
