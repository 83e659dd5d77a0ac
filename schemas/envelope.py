"""CloudEvents 1.0 in Kafka's binary mode: the attributes are headers, the value is the JSON alone."""

from datetime import datetime

from schemas.base import rfc3339

SPECVERSION = "1.0"
JSON = "application/json"
LINK_HEADERS = ("member_seq", "hash")
"""What a fact of a numbered topic carries besides: its number and its link in the chain."""


def event_headers(*, event_type: str, event_id: str, source: str, at: datetime) -> dict[str, str]:
    """The headers of an event; `source` is the service or till that says it."""
    return {
        "ce_specversion": SPECVERSION,
        "ce_id": event_id,
        "ce_source": source,
        "ce_type": event_type,
        "ce_time": rfc3339(at),
        "content-type": JSON,
    }


def numbered_headers(
    *, event_type: str, member_id: str, member_seq: int, source: str, at: datetime, link: bytes
) -> dict[str, str]:
    """The headers of a fact of a numbered topic; `link` is its SHA-256 in the member's chain."""
    headers = event_headers(event_type=event_type, event_id=f"{member_id}/{member_seq}", source=source, at=at)
    return headers | dict(zip(LINK_HEADERS, (str(member_seq), link.hex()), strict=True))
