"""The points of a member are taken in order, each once."""

from hashlib import sha256

import pytest

from services.tiering.domain.cursor import BrokenStreamError, Cursor, advanced

MEMBER = "m"
START = Cursor(0, sha256(b"m").digest())


def hash_of(previous: Cursor, encoded: bytes) -> bytes:
    return sha256(previous.hash + encoded).digest()


def after(cursor: Cursor, encoded: bytes) -> Cursor:
    taken = advanced(cursor, MEMBER, cursor.seq + 1, hash_of(cursor, encoded), encoded)
    assert taken is not None
    return taken


def test_the_next_fact_is_taken() -> None:
    assert after(START, b"one") == Cursor(1, hash_of(START, b"one"))


def test_the_same_fact_again_is_skipped() -> None:
    first = after(START, b"one")
    assert advanced(first, MEMBER, 1, first.hash, b"one") is None


def test_an_earlier_fact_again_is_skipped() -> None:
    first = after(START, b"one")
    second = after(first, b"two")
    assert advanced(second, MEMBER, 1, first.hash, b"one") is None


def test_a_gap_names_member_expected_and_found() -> None:
    with pytest.raises(BrokenStreamError, match="points of member m: expected number 1, found number 2"):
        advanced(START, MEMBER, 2, b"x", b"two")


def test_the_same_number_with_another_hash_is_refused() -> None:
    first = after(START, b"one")
    with pytest.raises(BrokenStreamError, match="expected number 1 with hash"):
        advanced(first, MEMBER, 1, b"\x00" * 32, b"other")


def test_a_fact_that_does_not_continue_the_chain_is_refused() -> None:
    with pytest.raises(BrokenStreamError, match="chained"):
        advanced(START, MEMBER, 1, hash_of(Cursor(0, b"\x01" * 32), b"one"), b"one")
