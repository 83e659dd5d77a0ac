"""API keys without a database, for tests of what stands behind them."""

import hashlib

from services.runtime.http.auth import Authenticator, Principal, StoredKey


class FixedKeys:
    """Keys known from the start; `revoke` takes one back, and `asked` counts how often they were looked for."""

    def __init__(self) -> None:
        self._keys: dict[str, StoredKey] = {}
        self.asked = 0

    def add(self, key_id: str, *scopes: str, owner: str = "till", sources: tuple[str, ...] = ()) -> str:
        principal = Principal(key_id, owner, frozenset(scopes), frozenset(sources))
        self._keys[key_id] = StoredKey(hashlib.sha256(b"secret").digest(), principal)
        return f"lk_{key_id}_secret"

    def revoke(self, key_id: str) -> None:
        del self._keys[key_id]

    async def find(self, key_id: str) -> StoredKey | None:
        self.asked += 1
        return self._keys.get(key_id)


def authenticator_of(keys: FixedKeys) -> Authenticator:
    return Authenticator(keys)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
