"""A sale and its card's registration meet, whichever comes first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.ingest.application.ports import Books, Entry, PurchaseRow, Register, Returns, Unclaimed
from services.ingest.application.releasing import release, release_matched
from services.ingest.domain.admission import Claimed, ClaimedBy, claimed
from services.ingest.domain.identity import MemberId
from services.ingest.domain.ownership import MemberIdentities, moved, newest

CLAIMS_MAX = 1_000
"""Sales claimed in one transaction; the rematch job takes what is left."""


async def register(
    books: Books, register: Register, returns: Returns, states: Sequence[MemberIdentities], now: datetime
) -> int:
    """Takes over who has which identity, and claims the sales that waited for it; answers how many."""
    members = {state.member_id for state in states}
    states = newest(states, await register.versions(members))
    digests = {digest for state in states for digest in state.digests}
    holdings = await register.lock_holdings(digests, members)
    changed = moved(holdings, states)
    await register.save(states, changed.values())
    # Asked only now, under the locks: a sale that came while we waited for them is there to be found.
    owners = {digest: it.member_id for digest, it in changed.items() if it.member_id is not None}
    return await _claim(books, register, returns, owners, now)


async def rematch(books: Books, register: Register, returns: Returns, now: datetime) -> int:
    """The backstop: unclaimed sales whose identity has a member all the same, returns whose original is accepted."""
    owners = await books.share_owners(await register.owned_unclaimed(CLAIMS_MAX))
    claimed = await _claim(books, register, returns, dict(owners), now)
    return claimed + await release_matched(books, returns, now)


async def _claim(
    books: Books, register: Register, returns: Returns, owners: dict[bytes, MemberId], now: datetime
) -> int:
    waiting = await register.lock_unclaimed(owners.keys(), CLAIMS_MAX) if owners else ()
    sales = [_claimed(sale, owners, now) for sale in waiting]
    await books.save([entry for entry, _ in sales])
    await books.add_purchases([purchase for _, purchase in sales])
    await release(books, returns, {purchase.event_id: purchase.member_id for _, purchase in sales}, now)
    return len(sales)


def _claimed(sale: Unclaimed, owners: dict[bytes, MemberId], now: datetime) -> tuple[Entry, PurchaseRow]:
    standing, event_id = sale.entry.standing, sale.entry.event_id
    assert standing is not None, "a placeholder is not claimed"
    assert standing.identity is not None, "an unclaimed sale is found by its identity"
    member_id = owners[standing.identity]
    after = claimed(standing, Claimed(standing.identity, member_id, ClaimedBy.REGISTRATION))
    body = sale.paper.as_purchase(member_id, ClaimedBy.REGISTRATION, now)
    return replace(sale.entry, standing=after, sealed=None), PurchaseRow(event_id, member_id, now, body)
