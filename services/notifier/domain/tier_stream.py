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
    tier, since = cursor.tier, cursor.since
    if _is_last_word(cursor, change):
        tier, since = change.to_tier, max(change.effective_from, since or change.effective_from)
    return TierCursor(change.member_seq, change.hash, tier, since)


def _is_last_word(cursor: TierCursor, change: TierChange) -> bool:
    if cursor.since is None:
        return not change.retroactive
    # A rise is told where it begins first. The end of a period, also judged anew, leaves a tier that begins later.
    is_rise = not (change.retroactive or change.ends_period or change.restores)
    return is_rise or change.effective_from >= cursor.since
