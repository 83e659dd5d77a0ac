"""A sale and its card's registration meet, whichever comes first."""

from collections.abc import Sequence
from datetime import datetime

from services.ingest.application.ports import Books, Kept, Register, Returns
from services.ingest.application.receipts import hand_over
from services.ingest.application.releasing import release_matched
from services.ingest.domain.admission import Claimed, ClaimedBy
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
    owners = await books.share_owners(await register.owned_unclaimed(now, CLAIMS_MAX))
    claimed = await _claim(books, register, returns, dict(owners), now)
    return claimed + await release_matched(books, returns, now)


async def _claim(
    books: Books, register: Register, returns: Returns, owners: dict[bytes, MemberId], now: datetime
) -> int:
    waiting = await register.lock_unclaimed(owners.keys(), now, CLAIMS_MAX) if owners else ()
    await hand_over(books, returns, [(sale, _by_registration(sale, owners)) for sale in waiting], now)
    return len(waiting)


def _by_registration(sale: Kept, owners: dict[bytes, MemberId]) -> Claimed:
    identity = sale.standing.identity
    assert identity is not None, "an unclaimed sale is found by its identity"
    return Claimed(identity, owners[identity], ClaimedBy.REGISTRATION)
