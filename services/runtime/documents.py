"""Effective-dated documents from a one-partition topic: every reader computes the same start of every version."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.own_records import read_own
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import UnitOfWork

T = TypeVar("T")
CONFIRMATION_GOOD_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Document:
    """One version, its published bytes, and the instant from which it is in force."""

    version: int
    starts_at: datetime
    body: bytes

    def read(self, read: Callable[[bytes], T]) -> T:
        """By a contract; NewerReleaseNeeded where a newer release has kept what this one does not know."""
        return read_own(read, self.body, f"version {self.version}")


class Dated(Protocol):
    """What a document must say to be one."""

    @property
    def version(self) -> int: ...

    @property
    def effective_from(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class DocumentHead:
    version: int
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class KnownDocuments:
    """`versions` ascending; `confirmed_at` is when the end of the topic was last asked for and reached."""

    versions: tuple[Document, ...]
    confirmed_at: datetime | None

    def ready_at(self, now: datetime, good_for: timedelta = CONFIRMATION_GOOD_FOR) -> bool:
        """Whether a decision may rest on these: some version is known, and no newer one can have started unseen."""
        return bool(self.versions) and self.confirmed_at is not None and now - self.confirmed_at <= good_for

    def in_force(self, at: datetime) -> Document | None:
        """The highest-numbered version that has started by `at`."""
        started = [document for document in self.versions if document.starts_at <= at]
        return started[-1] if started else None


async def known_documents(connection: AsyncConnection) -> KnownDocuments:
    """Read in the transaction that decides by them."""
    rows = (await connection.execute(_VERSIONS)).all()
    confirmed_at = await connection.scalar(_CONFIRMED_AT)
    return KnownDocuments(tuple(Document(row.version, row.starts_at, row.body) for row in rows), confirmed_at)


async def known_starts(driver: Any) -> list[tuple[int, datetime]]:
    """Versions with their starts, ascending, without the bodies: for whoever has read those before."""
    return [(row[0], row[1]) for row in await driver.fetch(_STARTS)]


def read_head(body: bytes) -> DocumentHead:
    """From top-level `version` and `effective_from` (RFC 3339) of a JSON body."""
    document = json.loads(body)
    effective_from = datetime.fromisoformat(document["effective_from"])
    assert effective_from.tzinfo is not None, "effective_from names no offset"
    return DocumentHead(int(document["version"]), effective_from)


@dataclass(frozen=True, slots=True)
class DecodedDocument:
    head: Dated
    body: bytes


class DocumentHandler:
    """Keeps every version of a LogAppendTime topic in `document_version`. A version starts at the later of its
    effective_from and its append time plus `lead`; the first one at its effective_from.

    `read` takes the whole document as its readers will: one that it refuses stops the topic, and so all who decide.
    """

    def __init__(self, lead: timedelta, *, read: Callable[[bytes], Dated] = read_head) -> None:
        self._lead = lead
        self._read = read

    def decode(self, record: Record[bytes | None]) -> DecodedDocument:
        assert record.value is not None, f"{record.topic} has no tombstones"
        return DecodedDocument(self._read(record.value), record.value)

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[DecodedDocument]]) -> None:
        for record in records:
            await self._keep(uow, record)

    async def caught_up(self, uow: UnitOfWork, partition: int, checked_at: datetime, *, any_parked: bool) -> None:
        # A version that is parked is not known, so the end cannot be vouched for.
        if not any_parked:
            await uow.connection.execute(_CONFIRM, {"at": checked_at})

    async def _keep(self, uow: UnitOfWork, record: Record[DecodedDocument]) -> None:
        head = record.value.head
        body = await uow.connection.scalar(_BODY, {"version": head.version})
        if body is not None:
            assert body == record.value.body, f"version {head.version} was published twice with different contents"
            return
        is_first = not await uow.connection.scalar(_ANY_VERSION)
        starts_at = head.effective_from if is_first else max(head.effective_from, record.appended_at + self._lead)
        await uow.connection.execute(
            _KEEP,
            {
                "version": head.version,
                "effective_from": head.effective_from,
                "appended_at": record.appended_at,
                "starts_at": starts_at,
                "body": record.value.body,
            },
        )


_VERSIONS = text("SELECT version, starts_at, body FROM document_version ORDER BY version")

_STARTS = "SELECT version, starts_at FROM document_version ORDER BY version"

_CONFIRMED_AT = text("SELECT confirmed_at FROM document_confirmation")

_BODY = text("SELECT body FROM document_version WHERE version = :version")

_ANY_VERSION = text("SELECT EXISTS (SELECT FROM document_version)")

_KEEP = text("""
    INSERT INTO document_version (version, effective_from, appended_at, starts_at, body)
    VALUES (:version, :effective_from, :appended_at, :starts_at, :body)
""")

# A check that was asked earlier may be answered later.
_CONFIRM = text("""
    INSERT INTO document_confirmation (confirmed_at) VALUES (:at)
    ON CONFLICT (id) DO UPDATE
    SET confirmed_at = greatest(document_confirmation.confirmed_at, excluded.confirmed_at)
""")
