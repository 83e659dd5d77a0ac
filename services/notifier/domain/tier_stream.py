"""The numbered tier facts of a member: each is taken once, in order, or not at all."""

from dataclasses import dataclass, replace

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
    """The last tier fact taken, and the tier that the member has by it."""

    seq: int = 0
    hash: bytes | None = None
    tier: str | None = None


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
    tier = cursor.tier if change.retroactive else change.to_tier
    return replace(cursor, seq=change.member_seq, hash=change.hash, tier=tier)
