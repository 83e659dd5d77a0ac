"""Ids are canonical lower-case UUID text: they are compared, sorted and written far more often than computed with."""

from hashlib import sha256
from typing import NewType
from uuid import UUID

MemberId = NewType("MemberId", str)
EventId = NewType("EventId", str)


def event_id_of(*parts: str) -> EventId:
    """The deterministic id of a cause: the first 16 bytes of SHA-256 over the length-prefixed parts."""
    digest = sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return EventId(str(UUID(bytes=digest.digest()[:16])))
