import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.postgres.unit_of_work import Database

KEY_ID_BYTES = 6
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What may be shown of a key: all but its secret, which is nowhere."""

    id: str
    owner: str
    scopes: tuple[str, ...]
    sources: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


async def create_key(
    target: Database | AsyncConnection,
    *,
    owner: str,
    scopes: Iterable[str],
    sources: Iterable[str] = (),
) -> str:
    """Returns `lk_<id>_<secret>`, the only time that the secret is seen."""
    key_id, secret = (
        secrets.token_hex(KEY_ID_BYTES),
        secrets.token_urlsafe(SECRET_BYTES),
    )
    row = {
        "id": key_id,
        "hash": hashlib.sha256(secret.encode()).digest(),
        "owner": owner,
        "scopes": sorted(set(scopes)),
        "sources": sorted(set(sources)),
    }
    async with _connection(target) as connection:
        await connection.execute(_INSERT, row)
    return f"lk_{key_id}_{secret}"


async def revoke_key(target: Database | AsyncConnection, key_id: str) -> bool:
    """Whether there was such a key to revoke; processes forget it within 30 s."""
    async with _connection(target) as connection:
        return (await connection.execute(_REVOKE, {"id": key_id})).rowcount == 1


async def list_keys(target: Database | AsyncConnection) -> list[ListedKey]:
    async with _connection(target) as connection:
        rows = (await connection.execute(_LIST)).all()
    return [
        ListedKey(
            row.id,
            row.owner,
            tuple(row.scopes),
            tuple(row.sources),
            row.created_at,
            row.revoked_at,
        )
        for row in rows
    ]


@asynccontextmanager
async def _connection(
    target: Database | AsyncConnection,
) -> AsyncIterator[AsyncConnection]:
    if isinstance(target, AsyncConnection):
        yield target
    else:
        async with target.begin() as uow:
            yield uow.connection


_INSERT = text(
    "INSERT INTO access.api_key (id, hash, owner, scopes, sources) VALUES (:id, :hash, :owner, :scopes, :sources)"
)
_REVOKE = text("UPDATE access.api_key SET revoked_at = now() WHERE id = :id AND revoked_at IS NULL")
_LIST = text("SELECT id, owner, scopes, sources, created_at, revoked_at FROM access.api_key ORDER BY created_at, id")
