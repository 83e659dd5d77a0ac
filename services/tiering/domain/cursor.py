"""The place in a member's points stream, which has no gaps and no second history."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last fact taken; `hash` is the head of the stream's chain, SHA-256 of the member's id before the first."""

    seq: int
    hash: bytes


class BrokenStreamError(Exception):
    """The stream cannot be continued with this fact; nothing may be decided until somebody has looked."""

    def __init__(self, member_id: str, *, expected: str, found: str) -> None:
        super().__init__(f"points of member {member_id}: expected {expected}, found {found}")
        self.member_id = member_id
        self.expected = expected
        self.found = found


def advanced(cursor: Cursor, member_id: str, seq: int, hash_: bytes, encoded: bytes) -> Cursor | None:
    """The cursor behind this fact, None when it was taken before."""
    if seq < cursor.seq or (seq == cursor.seq and hash_ == cursor.hash):
        return None
    # An earlier number cannot be compared: only the head of the chain is kept, and it vouches for all before it.
    if seq == cursor.seq:
        raise BrokenStreamError(member_id, expected=f"number {seq} with hash {cursor.hash.hex()}", found=hash_.hex())
    if seq != cursor.seq + 1:
        raise BrokenStreamError(member_id, expected=f"number {cursor.seq + 1}", found=f"number {seq}")
    if sha256(cursor.hash + encoded).digest() != hash_:
        raise BrokenStreamError(member_id, expected=f"number {seq} chained to {cursor.hash.hex()}", found=hash_.hex())
    return Cursor(seq, hash_)
