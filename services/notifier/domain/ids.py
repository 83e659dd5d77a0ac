"""Ids that are computed from what they name: the same again in a database that was rebuilt."""

from hashlib import sha256
from uuid import UUID


def id_of(*parts: str) -> str:
    """The first 16 bytes of SHA-256 over the length-prefixed parts, as UUID text."""
    digest = sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return str(UUID(bytes=digest.digest()[:16]))
