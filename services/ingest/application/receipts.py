"""An unclaimed sale becomes the purchase of whoever holds its receipt, and with it what had waited for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.ingest.application.ports import Books, Entry, Kept, PurchaseRow, Reopen, Returns
from services.ingest.application.refusals import CheckoutUnknown
from services.ingest.application.releasing import release
from services.ingest.domain.admission import Claimed, Standing, claimed
from services.ingest.domain.claim import decide_claim
from services.ingest.domain.identity import EventId, MemberId


@dataclass(frozen=True, slots=True)
class Receipt:
    """A checkout under its lock, with the identity that it is claimed for and who has that now."""

    entry: Entry
    standing: Standing
    identity: bytes
    owner: MemberId | None


async def take_hold(books: Books, event_id: EventId, identity: bytes, may_see: Callable[[str | None], bool]) -> Receipt:
    """`may_see` says whether the asker may know of a sale of this source at all."""
    # Identities before event ids, as everybody here: neither a registration nor the till's copy is passed by.
    owners = await books.share_owners([identity])
    entry = (await books.lock([event_id])).get(event_id)
    if entry is None or entry.standing is None or not may_see(entry.source):
        raise CheckoutUnknown("no such checkout; one just sent may take a moment")
    return Receipt(entry, entry.standing, identity, owners.get(identity))


async def claim(books: Books, returns: Returns, reopen: Reopen, receipt: Receipt, now: datetime) -> None:
    """Does nothing where the sale is this member's already."""
    claim = decide_claim(receipt.standing, receipt.identity, receipt.owner, now)
    if claim is not None:
        await hand_over(books, returns, [(Kept(receipt.entry, reopen(receipt.entry)), claim)], now)


async def hand_over(books: Books, returns: Returns, sales: Sequence[tuple[Kept, Claimed]], now: datetime) -> None:
    purchases = [_purchase(sale, claim, now) for sale, claim in sales]
    await books.save([_claimed(sale, claim) for sale, claim in sales])
    await books.add_purchases(purchases)
    await release(books, returns, {each.event_id: each.member_id for each in purchases}, now)


def _claimed(sale: Kept, claim: Claimed) -> Entry:
    return replace(sale.entry, standing=claimed(sale.standing, claim), sealed=None)


def _purchase(sale: Kept, claim: Claimed, now: datetime) -> PurchaseRow:
    assert claim.member_id is not None, "only a member takes a sale over"
    body = sale.paper.as_purchase(claim.member_id, claim.claimed_by, now)
    return PurchaseRow(sale.entry.event_id, claim.member_id, now, body)
