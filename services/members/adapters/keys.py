"""Whether the key files are those that this database was written with: others would register everyone twice."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.digests import IdentityDigests
from services.runtime.errors import HaltError
from services.runtime.seal import Seal, UnsealError

_IDENTITY = "LOYALTY_IDENTITY_KEY_FILE"
_VAULT = "LOYALTY_VAULT_KEY_FILE"
_CONTEXT = b"members/key check"
_WORD = "the key of this database"


class Keys:
    """The master key of the vault and the key of the identities, compared once with the marks in the database."""

    def __init__(self, master: Seal, digests: IdentityDigests) -> None:
        self.master = master
        self.digests = digests
        self._are_right = False

    async def check(self, connection: AsyncConnection, *, may_mark: bool) -> None:
        """HaltError where a mark was made with another key; a new database is marked by its first writer."""
        if self._are_right:
            return
        found = await self._marks(connection)
        if not found and may_mark:
            marks = {_IDENTITY: self._digest(), _VAULT: self.master.seal(_WORD.encode(), _CONTEXT)}
            await connection.execute(_MARK, [{"key": key, "mark": mark} for key, mark in marks.items()])
            self._compare(await self._marks(connection))
            return
        self._compare(found)
        # Only what was met, not what was just made: that may yet be rolled back.
        self._are_right = bool(found)

    async def _marks(self, connection: AsyncConnection) -> Mapping[str, bytes]:
        return {row.key: bytes(row.mark) for row in await connection.execute(_MARKS)}

    def _compare(self, marks: Mapping[str, bytes]) -> None:
        for key, mark in marks.items():
            is_right = self._opens(mark) if key == _VAULT else mark == self._digest()
            if not is_right:
                raise HaltError(f"{key} is not the key that this database was written with", "restore that key file")

    def _digest(self) -> bytes:
        return self.digests.digest("check", _WORD)

    def _opens(self, mark: bytes) -> bool:
        try:
            return self.master.open(mark, _CONTEXT) == _WORD.encode()
        except UnsealError:
            return False


_MARK = text("INSERT INTO key_check (key, mark) VALUES (:key, :mark) ON CONFLICT (key) DO NOTHING")
_MARKS = text("SELECT key, mark FROM key_check")
