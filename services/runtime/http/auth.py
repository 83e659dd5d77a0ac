import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy import text

from services.runtime.http.problem import Problem
from services.runtime.postgres.unit_of_work import Database

CACHE_SECONDS = 30.0
CACHE_KEYS = 4096
EVERY = "*"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request speaks for; `owner` outlives its keys and is what facts and idempotency keys name."""

    key_id: str
    owner: str
    scopes: frozenset[str]
    sources: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or EVERY in self.scopes

    def may_write(self, source: str) -> bool:
        return source in self.sources or EVERY in self.sources

    def ensure_may_write(self, source: str) -> None:
        if not self.may_write(source):
            raise _forbidden(
                "source_not_allowed",
                f"this key may not write the source {source}",
                source=source,
            )


@dataclass(frozen=True, slots=True)
class StoredKey:
    secret_hash: bytes
    principal: Principal


class KeyLookup(Protocol):
    """Finds a key that is not revoked by its id."""

    async def find(self, key_id: str) -> StoredKey | None: ...


class Authenticator:
    """Turns a bearer key into its principal; a revoked key is known for at most 30 s longer."""

    def __init__(
        self,
        keys: Database | KeyLookup,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = _StoredKeys(keys) if isinstance(keys, Database) else keys
        self._seconds = seconds
        self._cache: OrderedDict[str, tuple[float, StoredKey | None]] = OrderedDict()

    async def authenticate(self, presented: str) -> Principal:
        key_id, secret = _parts(presented)
        key = await self._find(key_id)
        secret_hash = hashlib.sha256(secret.encode()).digest()
        # An unknown key costs the same comparison as a wrong secret.
        if not hmac.compare_digest(secret_hash, key.secret_hash if key else bytes(32)) or key is None:
            raise _unauthenticated("this key is not known, or was revoked")
        return key.principal

    async def _find(self, key_id: str) -> StoredKey | None:
        now = self._seconds()
        cached = self._cache.get(key_id)
        if cached is not None and cached[0] > now:
            return cached[1]
        key = await self._keys.find(key_id)
        self._cache[key_id] = (now + CACHE_SECONDS, key)
        self._cache.move_to_end(key_id)
        if len(self._cache) > CACHE_KEYS:
            self._cache.popitem(last=False)
        return key


def require(scope: str) -> Any:
    """The dependency of a route: `principal: Annotated[Principal, require("points:redeem")]`."""
    return Security(_principal, scopes=[scope])


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="lk_<id>_<secret>, made by `loyalty keys new`",
)


async def _principal(
    request: Request,
    wanted: SecurityScopes,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Principal:
    if credentials is None:
        raise _unauthenticated("send an API key as `Authorization: Bearer lk_…`")
    authenticator: Authenticator = request.app.state.authenticator
    principal = await authenticator.authenticate(credentials.credentials)
    for scope in wanted.scopes:
        if not principal.may(scope):
            raise _forbidden("scope_missing", f"this key lacks the scope {scope}", scope=scope)
    return principal


def _parts(presented: str) -> tuple[str, str]:
    prefix, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != "lk" or not key_id or not secret or not presented.isascii():
        raise _unauthenticated("not a key of the form lk_<id>_<secret>")
    return key_id, secret


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail=detail, headers=_CHALLENGE)


def _forbidden(code: str, detail: str, **extra: str) -> Problem:
    return Problem(403, code, detail=detail, extra=extra)


class _StoredKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> StoredKey | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_FIND, {"id": key_id})).one_or_none()
        if row is None:
            return None
        principal = Principal(key_id, row.owner, frozenset(row.scopes), frozenset(row.sources))
        return StoredKey(bytes(row.hash), principal)


_FIND = text("SELECT hash, owner, scopes, sources FROM access.api_key WHERE id = :id AND revoked_at IS NULL")
