import base64
from pathlib import Path

import pytest

from services.runtime.key_files import KEY_BYTES, KeyFileError, read_key_file, write_key_file
from services.runtime.seal import Seal, UnsealError

KEY = bytes(range(KEY_BYTES))


def test_what_is_sealed_opens_with_the_same_key_and_context() -> None:
    sealed = Seal(KEY).seal("李雷".encode(), b"outcomes/1")
    assert Seal(KEY).open(sealed, b"outcomes/1").decode() == "李雷"


def test_sealed_bytes_do_not_show_what_they_hold() -> None:
    assert b"li@example.com" not in Seal(KEY).seal(b"li@example.com", b"")


def test_the_same_bytes_are_never_sealed_alike() -> None:
    seal = Seal(KEY)
    assert seal.seal(b"x", b"c") != seal.seal(b"x", b"c")


def test_sealed_bytes_moved_to_another_place_do_not_open() -> None:
    sealed = Seal(KEY).seal(b"x", b"dead_letter/1")
    with pytest.raises(UnsealError):
        Seal(KEY).open(sealed, b"dead_letter/2")


def test_another_key_does_not_open() -> None:
    sealed = Seal(KEY).seal(b"x", b"c")
    with pytest.raises(UnsealError):
        Seal(KEY[::-1]).open(sealed, b"c")


@pytest.mark.parametrize("position", [0, 1, 13, -1])
def test_a_changed_byte_is_noticed_wherever_it_stands(position: int) -> None:
    sealed = bytearray(Seal(KEY).seal(b"x", b"c"))
    sealed[position] ^= 1
    with pytest.raises(UnsealError):
        Seal(KEY).open(bytes(sealed), b"c")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(27), b"\x02" + bytes(60)])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    with pytest.raises(UnsealError):
        Seal(KEY).open(sealed, b"c")


def test_a_new_key_file_is_for_its_owners_eyes_only_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "seal.key"
    write_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(read_key_file(path)) == KEY_BYTES
    assert Seal.from_file(path).open(Seal.from_file(path).seal(b"x", b""), b"") == b"x"


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    write_key_file(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_key_file(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("padding", [b"", b"=", b"=\n"])
def test_a_key_file_may_be_padded_or_not(tmp_path: Path, padding: bytes) -> None:
    path = tmp_path / "k"
    path.write_bytes(base64.urlsafe_b64encode(KEY).rstrip(b"=") + padding)
    assert read_key_file(path) == KEY


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param(b"", "holds 0 bytes", id="empty"),
        pytest.param(base64.urlsafe_b64encode(KEY[:16]), "holds 16 bytes", id="too short"),
        pytest.param(b"not a key!", "not base64url", id="not base64"),
    ],
)
def test_a_bad_key_file_is_named_and_never_quoted(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "seal.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyFileError, match=why) as refusal:
        read_key_file(path)
    assert str(path) in str(refusal.value)
    assert not content or content.decode() not in str(refusal.value)
