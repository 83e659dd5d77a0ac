"""A return and its sale meet, whichever comes first: what waits for a checkout goes on once that one is accepted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.ingest.application.ports import Books, Entry, Kept, PurchaseRow, Returns
from services.ingest.domain.admission import ClaimedBy, released
from services.ingest.domain.identity import EventId, MemberId

RETURNS_MAX = 1_000
"""Originals taken up in one transaction; the next run of the job takes what is left."""


async def release(books: Books, returns: Returns, accepted: Mapping[EventId, MemberId], now: datetime) -> int:
    """Lets go what waits for these checkouts and what waits for that in turn (the void of a return); how many."""
    count = 0
    while accepted:
        waiting = await returns.lock_waiting(accepted.keys(), now)
        let_go = [_released(each, accepted, now) for each in waiting]
        await books.save([entry for entry, _ in let_go])
        await books.add_purchases([purchase for _, purchase in let_go])
        count += len(let_go)
        accepted = {purchase.event_id: purchase.member_id for _, purchase in let_go}
    return count


async def release_matched(books: Books, returns: Returns, now: datetime) -> int:
    """The backstop: returns that wait although their original has been accepted."""
    return await release(books, returns, await returns.matched(now, RETURNS_MAX), now)


def _released(waiting: Kept, accepted: Mapping[EventId, MemberId], now: datetime) -> tuple[Entry, PurchaseRow]:
    standing, event_id = waiting.standing, waiting.entry.event_id
    assert standing.original_id is not None, "it waits for something"
    member_id = accepted[standing.original_id]
    body = waiting.paper.as_purchase(member_id, ClaimedBy.TILL, now)
    after = replace(waiting.entry, standing=released(standing, member_id), sealed=None)
    return after, PurchaseRow(event_id, member_id, now, body)
