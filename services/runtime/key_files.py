import base64
import binascii
import secrets
from pathlib import Path

KEY_BYTES = 32


class KeyFileError(Exception):
    """A key file that does not hold 32 bytes as base64url on one line; the text names the file, never the key."""


def read_key_file(path: Path | str) -> bytes:
    file = Path(path)
    try:
        line = file.read_bytes().strip()
    except OSError as error:
        raise KeyFileError(f"key file {file} cannot be read: {error.strerror or error}") from error
    return _decoded(line, file)


def write_key_file(path: Path | str) -> None:
    """Creates a new key readable by its owner only; a file that is there already raises FileExistsError."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")


def _decoded(line: bytes, file: Path) -> bytes:
    try:
        key = base64.b64decode(line + b"=" * (-len(line) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFileError(f"key file {file} is not base64url on one line") from error
    if len(key) != KEY_BYTES:
        raise KeyFileError(f"key file {file} holds {len(key)} bytes, not {KEY_BYTES}")
    return key
