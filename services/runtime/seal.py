import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.runtime.key_files import read_key_file

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class UnsealError(Exception):
    """Sealed bytes that this key and context do not open: another key, another place, or changed bytes."""


class Seal:
    """AES-256-GCM; the context (where the bytes are kept) is authenticated: sealed bytes cannot be moved elsewhere."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def from_file(cls, path: Path | str) -> "Seal":
        return cls(read_key_file(path))

    def seal(self, data: bytes, context: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, data, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        if sealed[:1] != _FORMAT or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise UnsealError("not sealed in a known format")
        nonce, data = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, data, context)
        except InvalidTag as error:
            raise UnsealError("another key or context, or changed bytes") from error
