"""A sale that nobody's member was named with, claimed by somebody who holds the receipt: one receipt, one claim."""

from dataclasses import dataclass
from datetime import datetime

from services.ingest.domain.admission import Claimed, ClaimedBy, Fate, Reason, Standing
from services.ingest.domain.identity import MemberId


class MemberNotRegistered(Exception):
    """Nobody has the identity that the sale is claimed for, or whoever had it is closed."""


class AlreadyClaimed(Exception):
    """It is another member's purchase."""


@dataclass
class Lapsed(Exception):
    """`lapsed_at` is the first instant at which it could no longer be claimed."""

    lapsed_at: datetime


@dataclass
class NotClaimable(Exception):
    """Only an unclaimed sale is claimed; `outcome` and `reason` say what this one is."""

    outcome: Fate
    reason: Reason | None


def decide_claim(seen: Standing, identity: bytes, owner: MemberId | None, now: datetime) -> Claimed | None:
    """None = it is this member's already. `owner` is who has the identity now."""
    is_purchase = seen.fate is Fate.ACCEPTED and seen.original_id is None
    if owner is None:
        raise MemberNotRegistered("nobody has this identity: register the member first")
    if is_purchase and seen.member_id == owner:
        return None
    if is_purchase:
        raise AlreadyClaimed("another member has this sale")
    if seen.fate is Fate.LAPSED or (seen.fate is Fate.UNCLAIMED and not seen.waits_at(now)):
        assert seen.waits_until is not None, "only what waits until then can lapse"
        raise Lapsed(seen.waits_until)
    if seen.fate is not Fate.UNCLAIMED:
        raise NotClaimable(seen.fate, seen.reason)
    # A card that the till was shown stays the sale's: sent again with it, the sale is still the same.
    return Claimed(seen.identity or identity, owner, ClaimedBy.RECEIPT)
