"""The numbered tier facts of a member: each is taken once, in order, or not at all."""

from dataclasses import dataclass
from datetime import datetime

from services.notifier.domain.planning import TierChange


class TierStreamError(Exception):
    """A tier fact that does not continue what was taken before: another history, or a gap."""

    def __init__(self, change: TierChange, expected_seq: int) -> None:
        super().__init__(
            f"tier facts of member {change.member_id}: expected number {expected_seq}, found {change.member_seq}"
            f" with hash {change.hash.hex()[:16]}"
        )


@dataclass(frozen=True, slots=True)
class TierCursor:
    """The last tier fact taken, and the tier that the member has, or will have from `since` on, by all of them."""

    seq: int = 0
    hash: bytes | None = None
    tier: str | None = None
    since: datetime | None = None


def take(cursor: TierCursor, change: TierChange) -> TierCursor | None:
    """The cursor after the change; None for a change that was taken before."""
    if change.member_seq < cursor.seq:
        return None
    if change.member_seq == cursor.seq:
        if change.hash != cursor.hash:
            raise TierStreamError(change, cursor.seq)
        return None
    if change.member_seq != cursor.seq + 1:
        raise TierStreamError(change, cursor.seq + 1)
    # The end of a period may be told after a tier that begins later, and takes nothing from it.
    is_over = change.retroactive or (cursor.since is not None and change.effective_from < cursor.since)
    tier, since = (cursor.tier, cursor.since) if is_over else (change.to_tier, change.effective_from)
    return TierCursor(change.member_seq, change.hash, tier, since)
