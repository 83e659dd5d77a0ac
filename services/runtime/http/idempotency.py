import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from sqlalchemy import text

from services.runtime.errors import Transient
from services.runtime.http.auth import Principal
from services.runtime.http.body import parse_json
from services.runtime.http.problem import Problem
from services.runtime.postgres.unit_of_work import UnitOfWork

KEY_LIMIT_CHARACTERS = 255

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LIMIT_CHARACTERS,
        pattern=r"^[\x20-\x7e]+$",
        description="Chosen by the client, one for each thing to be done; repeating it repeats the first answer.",
    ),
]


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer to a key, given again word for word."""

    status: int
    body: Any


async def _body_hash(request: Request) -> bytes:
    body = await request.body()
    value = parse_json(body) if body else None
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).digest()


BodyHash = Annotated[bytes, Depends(_body_hash)]
"""SHA-256 of what the body says: the order of names and white space do not change it."""


async def answered(
    uow: UnitOfWork, principal: Principal, operation: str, key: str, body_hash: bytes
) -> StoredAnswer | None:
    """The answer this key was given before; call it once the rows that the command locks are locked.

    Raises Problem 422 `idempotency_key_reused` where the first body was another. `operation` names route and subject.
    """
    found = (await uow.connection.execute(_FIND, _identity(principal, operation, key))).one_or_none()
    if found is None:
        return None
    if bytes(found.body_hash) != body_hash:
        raise Problem(
            422,
            "idempotency_key_reused",
            detail="this Idempotency-Key came with another body before",
        )
    return StoredAnswer(found.status, json.loads(bytes(found.body)))


async def remember(
    uow: UnitOfWork,
    principal: Principal,
    operation: str,
    key: str,
    body_hash: bytes,
    status: int,
    body: Any,
) -> None:
    """Keeps the answer in the command's own transaction; Transient where another request is just using the key."""
    stored = json.dumps(body, ensure_ascii=False).encode()
    driver = await uow.driver()
    if not await driver.fetchval(REMEMBER, principal.owner, operation, key, body_hash, status, stored):
        raise Transient("the same Idempotency-Key is in use by another request")


def _identity(principal: Principal, operation: str, key: str) -> dict[str, Any]:
    return {"principal": principal.owner, "operation": operation, "key": key}


_FIND = text(
    "SELECT body_hash, status, body FROM idempotency"
    " WHERE principal = :principal AND operation = :operation AND key = :key"
)
REMEMBER = """
INSERT INTO idempotency (principal, operation, key, body_hash, status, body)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true
"""
