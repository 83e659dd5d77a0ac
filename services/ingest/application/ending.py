"""Nothing waits for ever: what nobody claimed in time lapses, what never met its original is put before a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.ingest.application.ports import Books, Kept, OutcomeRow, Overdue, Told
from services.ingest.domain.admission import Fate, Reason, Standing, given_up, lapsed

ENDED_MAX = 1_000
"""Ended in one transaction; the job comes again at once while there is more."""


async def lapse(books: Books, overdue: Overdue, now: datetime) -> int:
    """Unclaimed sales whose time has passed; answers how many. Their bodies live on in the outcome alone."""
    sales = await overdue.lock_overdue(Fate.UNCLAIMED, now, ENDED_MAX)
    return await _end(books, [(sale, lapsed(sale.standing)) for sale in sales], now)


async def give_up(books: Books, overdue: Overdue, now: datetime) -> int:
    """Returns whose time has passed, and those of sales that have lapsed; answers how many."""
    late = await overdue.lock_overdue(Fate.WAITING, now, ENDED_MAX)
    count = await _end(books, [(each, given_up(each.standing, Reason.WAITED_TOO_LONG)) for each in late], now)
    stranded = await overdue.lock_stranded(ENDED_MAX)
    return count + await _end(
        books, [(each, given_up(each.standing, Reason.ORIGINAL_LAPSED)) for each in stranded], now
    )


async def _end(books: Books, ended: Sequence[tuple[Kept, Standing]], now: datetime) -> int:
    await books.save([replace(each.entry, standing=after, sealed=_still_needed(each, after)) for each, after in ended])
    await books.add_outcomes([_outcome(each, after, now) for each, after in ended])
    return len(ended)


def _still_needed(ended: Kept, after: Standing) -> bytes | None:
    return None if after.fate is Fate.LAPSED else ended.entry.sealed


def _outcome(ended: Kept, after: Standing, now: datetime) -> OutcomeRow:
    told = Told(after.outcomes, after.fate, after.reason, now, after.waits_until)
    body = ended.paper.as_outcome(told, ended.entry.sealed or ended.paper.sealed())
    return OutcomeRow(ended.entry.event_id, after.outcomes, now, body)
