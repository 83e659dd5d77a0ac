"""Replay: facts are folded again, never decided again, and two folds are compared by their digests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from services.ledger.application.recording import chain_start
from services.ledger.domain.evolve import BrokenInvariantError, evolve
from services.ledger.domain.facts import Fact
from services.ledger.domain.ids import MemberId
from services.ledger.domain.state import AccountState, new_account

DIGEST_MODULUS = 2**256


class StreamError(Exception):
    """A member's stream is not what it should be: which member, at which number, and how."""

    def __init__(self, member_id: str, member_seq: int, detail: str) -> None:
        super().__init__(f"member {member_id}, number {member_seq}: {detail}")
        self.member_id = member_id
        self.member_seq = member_seq
        self.detail = detail


class ReplayCodec(Protocol):
    """How stored bytes become facts, states canonical bytes, and bytes a chain."""

    def decode(self, encoded: bytes) -> tuple[MemberId, int, Fact]: ...
    def encode_state(self, state: AccountState) -> bytes: ...
    def chain(self, previous: bytes, encoded: bytes) -> bytes: ...


@dataclass(slots=True)
class MemberFold:
    """One member's stream, folded as far as it has been read."""

    state: AccountState
    chain_head: bytes

    @classmethod
    def empty(cls, member_id: MemberId) -> "MemberFold":
        return cls(new_account(member_id), chain_start(member_id))

    def add(self, codec: ReplayCodec, encoded: bytes, stored_hash: bytes) -> Fact:
        """Takes the next fact; StreamError for a gap, a broken chain or a fact that the invariants forbid."""
        member_id, member_seq, fact = codec.decode(encoded)
        if member_id != self.state.member_id or member_seq != self.state.member_seq + 1:
            raise StreamError(self.state.member_id, member_seq, f"expected number {self.state.member_seq + 1}")
        head = codec.chain(self.chain_head, encoded)
        if head != stored_hash:
            raise StreamError(member_id, member_seq, "the hash does not chain this fact to the one before it")
        try:
            self.state = evolve(self.state, fact)
        except BrokenInvariantError as broken:
            raise StreamError(member_id, member_seq, str(broken)) from broken
        self.chain_head = head
        return fact


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two folds of one member must share: number, head of the chain, SHA-256 of the canonical account."""

    member_seq: int
    chain_head: bytes
    account_hash: bytes


def fingerprint_of(codec: ReplayCodec, fold: MemberFold) -> Fingerprint:
    return Fingerprint(fold.state.member_seq, fold.chain_head, sha256(codec.encode_state(fold.state)).digest())


def stream_digest(members: Mapping[MemberId, Fingerprint]) -> str:
    """Σ mod 2²⁵⁶ over members of SHA-256(member_id ‖ member_seq ‖ chain head ‖ account hash), as 64 hex digits.

    A sum, so that partitions can be folded in any order and added up.
    """
    total = 0
    for member_id, member in members.items():
        content = member_id.encode() + member.member_seq.to_bytes(8, "big") + member.chain_head + member.account_hash
        total += int.from_bytes(sha256(content).digest(), "big")
    return f"{total % DIGEST_MODULUS:064x}"


@dataclass(slots=True)
class Comparison:
    """Live books against a fold of the same facts; `difference` names the first member where they part."""

    members: int
    facts: int
    digest_live: str
    digest_rebuilt: str
    difference: str | None = field(default=None)

    @property
    def equal(self) -> bool:
        return self.difference is None and self.digest_live == self.digest_rebuilt


def compare(live: Mapping[MemberId, Fingerprint], rebuilt: Mapping[MemberId, Fingerprint], *, facts: int) -> Comparison:
    """Both sides must have been folded to the same numbers."""
    return Comparison(
        members=len(live),
        facts=facts,
        digest_live=stream_digest(live),
        digest_rebuilt=stream_digest(rebuilt),
        difference=_first_difference(live, rebuilt),
    )


def _first_difference(live: Mapping[MemberId, Fingerprint], rebuilt: Mapping[MemberId, Fingerprint]) -> str | None:
    for member_id in sorted(live.keys() | rebuilt.keys()):
        mine, theirs = live.get(member_id), rebuilt.get(member_id)
        if mine == theirs:
            continue
        if mine is None or theirs is None:
            return f"member {member_id} is only in the {'rebuilt' if mine is None else 'live'} books"
        if mine.member_seq != theirs.member_seq:
            return f"member {member_id}: live at number {mine.member_seq}, rebuilt at {theirs.member_seq}"
        what = "chain" if mine.chain_head != theirs.chain_head else "account"
        return f"member {member_id}, number {mine.member_seq}: the {what} differs"
    return None
