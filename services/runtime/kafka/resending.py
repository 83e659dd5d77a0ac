"""How a fact on its way out once more is told from a new one, in the outbox and on its topic."""

from dataclasses import replace

from services.runtime.ports import Message, Record

HEADER = "sent_again"
_PREFIX = "again/"


def resent(ref: str) -> str:
    """The pointer of an outbox row whose fact went out before."""
    return _PREFIX + ref


def is_marked(ref: str) -> bool:
    return ref.startswith(_PREFIX)


def plain(ref: str) -> str:
    """The pointer as the service wrote it."""
    return ref.removeprefix(_PREFIX)


def marked(message: Message, ref: str) -> Message:
    return replace(message, headers={**message.headers, HEADER: "true"}) if is_marked(ref) else message


def is_resent(record: Record[bytes | None]) -> bool:
    return HEADER in record.headers
