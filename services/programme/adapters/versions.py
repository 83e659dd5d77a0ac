"""The table of published versions, each with the exact bytes that stand on the topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.programme import ProgrammeDocument, ProgrammePublished
from services.programme.adapters.reading import programme_of
from services.programme.application import StoredVersion
from services.programme.domain.document import Programme
from services.programme.domain.versions import Version


@dataclass(frozen=True, slots=True)
class VersionTable:
    """Meets the application's `Versions` inside the transaction of its connection."""

    connection: AsyncConnection

    async def take_turn(self) -> None:
        await self.connection.execute(_TAKE_TURN)

    async def newest(self) -> Programme | None:
        fact = await self.connection.scalar(_NEWEST)
        return programme_of(ProgrammePublished.model_validate_json(fact).document) if fact is not None else None

    async def add(self, version: Version, document: bytes) -> None:
        row = {
            "version": version.number,
            "effective_from": version.effective_from,
            "published_at": version.published_at,
            "published_by": version.published_by,
            "fact": _fact(version, document),
        }
        await self.connection.execute(_ADD, row)

    async def all(self) -> Sequence[Version]:
        """The oldest first; never many, as people write them."""
        return [_version(row) for row in await self.connection.execute(_ALL)]

    async def get(self, number: int) -> StoredVersion | None:
        row = (await self.connection.execute(_GET, {"version": number})).one_or_none()
        return StoredVersion(_version(row), _document(bytes(row.fact))) if row is not None else None


def _fact(version: Version, document: bytes) -> bytes:
    published = ProgrammePublished(
        version=version.number,
        effective_from=version.effective_from,
        published_at=version.published_at,
        document=ProgrammeDocument.model_validate_json(document),
    )
    return published.model_dump_json().encode()


def _document(fact: bytes) -> dict[str, Any]:
    return ProgrammePublished.model_validate_json(fact).document.model_dump(mode="json")


def _version(row: Row[Any]) -> Version:
    appended: datetime | None = row.appended_at
    return Version(row.version, row.effective_from, row.published_at, row.published_by, appended)


_COLUMNS = "v.version, v.effective_from, v.published_at, v.published_by, d.appended_at"
_FROM = "FROM version v LEFT JOIN document_version d ON d.version = v.version"
_TAKE_TURN = text("SELECT FROM turn FOR UPDATE")
_NEWEST = text("SELECT fact FROM version ORDER BY version DESC LIMIT 1")
_ALL = text(f"SELECT {_COLUMNS} {_FROM} ORDER BY v.version")
_GET = text(f"SELECT {_COLUMNS}, v.fact {_FROM} WHERE v.version = :version")
_ADD = text(
    "INSERT INTO version (version, effective_from, published_at, published_by, fact)"
    " VALUES (:version, :effective_from, :published_at, :published_by, CAST(:fact AS bytea))"
)
