"""What the services have set aside: dead letters and parked keys, for people to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text

from services.ops.topic_table import is_personal, topic_table
from services.runtime.kafka.dead_letters import dead_letter_context
from services.runtime.ports import Seal, SourcePosition
from services.runtime.postgres.unit_of_work import Database

State = Literal["open", "redriven", "discarded"]
HIDDEN = "(not shown)"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`detail` and `pointer` say what was wrong with it; a key that may name a person reads `(not shown)`."""

    service: str
    id: int
    topic: str
    partition: int
    offset: int
    key: str | None
    event_ref: str | None
    code: str
    detail: str
    pointer: str
    appended_at: datetime
    received_at: datetime
    state: State
    decided_by: str | None
    decided_at: datetime | None

    @property
    def name(self) -> str:
        return f"{self.service}/{self.id}"


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """`records` of the key wait; `first` is partition/offset of the first one, None while none has come."""

    service: str
    topic: str
    key: str
    records: int
    first: str | None
    parked_by: str
    parked_at: datetime


@dataclass(frozen=True, slots=True)
class Payload:
    """What was sent, as it was sent; `value` None is a tombstone."""

    key: str | None
    headers: dict[str, str]
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """The newest letters before `before`, newest last; `has_earlier` says that there are more."""

    letters: tuple[DeadLetter, ...]
    has_earlier: bool


async def read_page(
    database: Database,
    services: Sequence[str],
    *,
    states: Sequence[State],
    limit: int,
    before: tuple[str, int] | None = None,
) -> Page | None:
    """None where `before`, a service and an id, names no dead letter."""
    async with database.read() as connection:
        border: dict[str, Any] = {"at": None, "service": "", "id": 0}
        if before is not None:
            service, letter_id = before
            at = await connection.scalar(text(_RECEIVED_AT.format(service=service)), {"id": letter_id})
            if at is None:
                return None
            border = {"at": at, "service": service, "id": letter_id}
        found: list[DeadLetter] = []
        for service in services:
            parameters = border | {"own": service, "states": list(states), "limit": limit + 1}
            rows = await connection.execute(text(_LETTERS.format(service=service)), parameters)
            found += [_letter(service, row) for row in rows]
    found.sort(key=lambda each: (each.received_at, each.service, each.id))
    return Page(tuple(found[-limit:]), len(found) > limit)


async def read_parked_keys(database: Database, services: Sequence[str]) -> list[ParkedKey]:
    found: list[ParkedKey] = []
    async with database.read() as connection:
        for service in services:
            rows = await connection.execute(text(_PARKED_KEYS.format(service=service)))
            found += [ParkedKey(service, **{**row._mapping, "key": shown_key(row.topic, row.key)}) for row in rows]
    return found


async def read_letter(database: Database, service: str, letter_id: int) -> DeadLetter | None:
    async with database.read() as connection:
        row = (await connection.execute(text(_LETTER.format(service=service)), {"id": letter_id})).one_or_none()
    return None if row is None else _letter(service, row)


async def open_payload(database: Database, letter: DeadLetter, seal: Seal) -> Payload:
    """Of an open letter: what is decided is no longer kept. UnsealError where it was sealed with another key."""
    async with database.read() as connection:
        row = (await connection.execute(text(_PAYLOAD.format(service=letter.service)), {"id": letter.id})).one()
    context = dead_letter_context(SourcePosition(letter.topic, letter.partition, letter.offset))
    return Payload(row.key, row.headers, None if row.sealed is None else seal.open(row.sealed, context))


def shown_key(topic: str, key: str | None) -> str | None:
    """A till that writes keys of its own may take the card for one."""
    if key is None or not is_personal(topic):
        return key
    return key if key.count("/") == topic_table()[topic]["key"].count("/") else HIDDEN


def _letter(service: str, row: Row[Any]) -> DeadLetter:
    values = dict(row._mapping)
    return DeadLetter(service=service, **(values | {"key": shown_key(row.topic, row.key)}))


_COLUMNS = """
    id, topic, partition, "offset", key, event_ref, code, detail, pointer, appended_at, received_at, state,
    decided_by, decided_at
"""
_LETTERS = f"""
    SELECT {_COLUMNS} FROM "{{service}}".dead_letter
    WHERE state = ANY (:states) AND (CAST(:at AS timestamptz) IS NULL OR (received_at, CAST(:own AS text), id)
      < (CAST(:at AS timestamptz), CAST(:service AS text), CAST(:id AS bigint)))
    ORDER BY received_at DESC, id DESC LIMIT :limit
"""
_LETTER = f'SELECT {_COLUMNS} FROM "{{service}}".dead_letter WHERE id = :id'
_RECEIVED_AT = 'SELECT received_at FROM "{service}".dead_letter WHERE id = :id'
_PAYLOAD = 'SELECT key, headers, sealed FROM "{service}".dead_letter WHERE id = :id'
_PARKED_KEYS = """
    SELECT k.topic, k.key, count(p."offset") AS records, k.parked_by, k.parked_at,
      (array_agg(p.partition || '/' || p."offset" ORDER BY p.partition, p."offset"))[1] AS first
    FROM "{service}".parked_key k LEFT JOIN "{service}".parked p
      ON p.consumer = k.consumer AND p.topic = k.topic AND p.key = k.key
    GROUP BY k.consumer, k.topic, k.key, k.parked_by, k.parked_at ORDER BY k.parked_at
"""
