"""Records set aside: unreadable ones as dead letters, those of a parked key in their order."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import LINK_HEADERS
from services.runtime.errors import InvalidMessage
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.ports import Record, Seal, SourcePosition
from services.runtime.postgres.unit_of_work import UnitOfWork

_CLOUD_EVENT_HEADER = re.compile(r"ce_[a-z0-9]{1,40}")
HEADERS_IN_CLEAR = ("content-type", "traceparent", *LINK_HEADERS)
HEADER_CHARACTERS_MAX = 500
DETAIL_CHARACTERS_MAX = 2_000


def dead_letter_context(position: SourcePosition) -> bytes:
    """The context under which a dead letter's payload was sealed."""
    return f"dead_letter/{position.topic}/{position.partition}/{position.offset}".encode()


def parked_context(position: SourcePosition) -> bytes:
    """The context under which a parked record's payload was sealed."""
    return f"parked/{position.topic}/{position.partition}/{position.offset}".encode()


async def add_dead_letters(
    uow: UnitOfWork, consumer: str, seal: Seal, refused: Sequence[tuple[Record[bytes | None], InvalidMessage]]
) -> None:
    rows = [
        {
            **_row(consumer, record),
            "event_ref": why.event_ref,
            "code": _storable(why.code),
            "detail": _storable(why.detail),
            "pointer": _storable(why.pointer),
            "sealed": _sealed(seal, record, dead_letter_context(record.position)),
        }
        for record, why in refused
    ]
    if rows:
        await uow.connection.execute(_ADD_DEAD_LETTER, rows)


async def parked_keys(uow: UnitOfWork, of: PartitionId) -> frozenset[str]:
    parameters = {"consumer": of.consumer, "topic": of.topic}
    return frozenset(await uow.connection.scalars(_PARKED_KEYS, parameters))


async def park(uow: UnitOfWork, consumer: str, seal: Seal, records: Iterable[Record[bytes | None]]) -> None:
    rows = [
        {**_row(consumer, record), "sealed": _sealed(seal, record, parked_context(record.position))}
        for record in records
    ]
    if rows:
        await uow.connection.execute(_PARK, rows)


async def counts(connection: AsyncConnection, consumer: str) -> dict[str, tuple[int, int]]:
    """By topic, open dead letters and parked keys; topics without any are missing."""
    rows = await connection.execute(_COUNTS, {"consumer": consumer})
    return {row.topic: (row.letters, row.parked_keys) for row in rows}


def _row(consumer: str, record: Record[bytes | None]) -> dict[str, object]:
    return {
        "consumer": consumer,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "headers": json.dumps(_known_headers(record.headers)),
        "appended_at": record.appended_at,
    }


def _known_headers(headers: Mapping[str, str]) -> dict[str, str]:
    # Others come from outside under any name and may say anything about a person.
    return {
        name: value[:HEADER_CHARACTERS_MAX]
        for name, value in headers.items()
        if name in HEADERS_IN_CLEAR or _CLOUD_EVENT_HEADER.fullmatch(name)
    }


def _sealed(seal: Seal, record: Record[bytes | None], context: bytes) -> bytes | None:
    return None if record.value is None else seal.seal(record.value, context)


def _storable(words: str) -> str:
    return words.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:DETAIL_CHARACTERS_MAX]


_ADD_DEAD_LETTER = text("""
    INSERT INTO dead_letter
      (consumer, topic, partition, "offset", key, event_ref, code, detail, pointer, sealed, headers, appended_at)
    VALUES (:consumer, :topic, :partition, :offset, :key, :event_ref, :code, :detail, :pointer, :sealed,
            cast(:headers AS jsonb), :appended_at)
    ON CONFLICT (topic, partition, "offset") DO NOTHING
""")

_PARKED_KEYS = text("SELECT key FROM parked_key WHERE consumer = :consumer AND topic = :topic")

_PARK = text("""
    INSERT INTO parked (consumer, topic, key, partition, "offset", sealed, headers, appended_at)
    VALUES (:consumer, :topic, :key, :partition, :offset, :sealed, cast(:headers AS jsonb), :appended_at)
    ON CONFLICT DO NOTHING
""")

_COUNTS = text("""
    SELECT topic, sum(letters)::int AS letters, sum(parked_keys)::int AS parked_keys FROM (
      SELECT topic, 1 AS letters, 0 AS parked_keys FROM dead_letter WHERE consumer = :consumer AND state = 'open'
      UNION ALL SELECT topic, 0, 1 FROM parked_key WHERE consumer = :consumer
    ) AS aside GROUP BY topic
""")
