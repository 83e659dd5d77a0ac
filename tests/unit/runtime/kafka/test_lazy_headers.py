from collections.abc import Iterator

import pytest

from services.runtime.kafka.records import LazyHeaders


def test_headers_read_like_a_mapping_of_text() -> None:
    headers = LazyHeaders((("ce_id", b"a/1"), ("hash", b"ff")))

    assert headers == {"ce_id": "a/1", "hash": "ff"}
    assert len(headers) == 2


def test_of_a_repeated_header_the_last_one_counts() -> None:
    headers = LazyHeaders((("ce_id", b"first"), ("ce_id", b"last")))

    assert dict(headers) == {"ce_id": "last"}


def test_a_header_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        LazyHeaders(())["ce_id"]


def test_bytes_from_outside_become_text_that_the_database_takes() -> None:
    headers = LazyHeaders((("ce_id", b"\xff\x00"),))

    assert headers["ce_id"] == "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_all_headers_are_read_in_one_go_however_many_a_client_has_written() -> None:
    raw = Searched((f"ce_{number}", b"x") for number in range(100))

    assert len(LazyHeaders(raw).items()) == 100
    assert dict(LazyHeaders(raw).items())["ce_7"] == "x"
    assert raw.searches == 0


class Searched(list[tuple[str, bytes | None]]):
    """Counts how often it is looked through for one of them."""

    searches = 0

    def __reversed__(self) -> Iterator[tuple[str, bytes | None]]:
        self.searches += 1
        return super().__reversed__()
