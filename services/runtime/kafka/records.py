"""Records as the platform sees them, made from what the client returns."""

import hashlib
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from aiokafka.structs import ConsumerRecord

from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record

IDENTITY_CHARACTERS_MAX = 200
# A client may write any time that it likes: to the year 9999 PostgreSQL and we can tell it.
TIMESTAMP_MS_MAX = 253_402_300_799_000


class LazyHeaders(Mapping[str, str]):
    """Decoded as they are asked for: of a batch, mostly those of its last record alone. Of a repeated name the last
    one counts."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Sequence[tuple[str, bytes | None]]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> str:
        for known, value in reversed(self._raw):
            if known == name:
                return storable(value or b"")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._raw))

    def __len__(self) -> int:
        return len(dict(self._raw))

    def items(self) -> ItemsView[str, str]:
        # One by one each would be searched for: with a hundred thousand of them, for minutes.
        return {name: storable(value or b"") for name, value in self._raw}.items()


def to_record(settings: KafkaSettings, raw: ConsumerRecord) -> Record[bytes | None]:
    return Record(
        topic=settings.logical(raw.topic),
        partition=raw.partition,
        offset=raw.offset,
        key=None if raw.key is None else storable(raw.key),
        headers=LazyHeaders(raw.headers),
        appended_at=datetime.fromtimestamp(min(max(0, raw.timestamp), TIMESTAMP_MS_MAX) / 1000, UTC),
        value=raw.value,
    )


def identity_of(record: Record[bytes | None]) -> str:
    """What tells this record from another one at the same offset of a topic made anew."""
    declared = record.headers.get("ce_id")
    if declared:
        return declared[:IDENTITY_CHARACTERS_MAX]
    return "sha256:" + hashlib.sha256(record.value or b"").hexdigest()


def storable(data: bytes) -> str:
    """Text that PostgreSQL takes, whatever the bytes are: they come from outside."""
    return data.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
