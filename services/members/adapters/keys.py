"""Whether the key files are those that this database was written with: others would read nothing and double everyone."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.digests import IdentityDigests
from services.runtime.errors import HaltError
from services.runtime.seal import Seal, UnsealError

_CONTEXT = b"members/key check"
_WORD = b"the key of this database"


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
        if may_mark:
            rows = [{"key": key, "mark": mark} for key, mark in self._marks().items()]
            await connection.execute(_MARK, rows)
        marks = {row.key: bytes(row.mark) for row in await connection.execute(_MARKS)}
        self._compare(marks)
        # The marks may yet be rolled back, or not be made: then the next process makes them.
        self._are_right = bool(marks)

    def _marks(self) -> Mapping[str, bytes]:
        return {
            "LOYALTY_IDENTITY_KEY_FILE": self._digest(),
            "LOYALTY_VAULT_KEY_FILE": self.master.seal(_WORD, _CONTEXT),
        }

    def _compare(self, marks: Mapping[str, bytes]) -> None:
        wrong = {
            "LOYALTY_IDENTITY_KEY_FILE": lambda mark: mark != self._digest(),
            "LOYALTY_VAULT_KEY_FILE": lambda mark: not self._opens(mark),
        }
        for key, mark in marks.items():
            if wrong[key](mark):
                raise HaltError(f"{key} is not the key that this database was written with", "restore that key file")

    def _digest(self) -> bytes:
        return self.digests.digest("check", _WORD.decode())

    def _opens(self, mark: bytes) -> bool:
        try:
            return self.master.open(mark, _CONTEXT) == _WORD
        except UnsealError:
            return False


_MARK = text("INSERT INTO key_check (key, mark) VALUES (:key, :mark) ON CONFLICT (key) DO NOTHING")
_MARKS = text("SELECT key, mark FROM key_check")
