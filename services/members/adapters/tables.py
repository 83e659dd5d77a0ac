"""The members, their history and the directory of identities in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.members.adapters.contract import TOPIC, decode, encode
from services.members.adapters.keys import Keys
from services.members.application import Author, IdentityValue
from services.members.domain.member import Identity, Member
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork


class MemberTables:
    """The port Members; `uow` is the transaction to write in, or None to read only."""

    def __init__(self, connection: AsyncConnection, uow: UnitOfWork | None = None) -> None:
        self._connection = connection
        self._uow = uow

    async def find(self, member_id: UUID) -> Member | None:
        body = await self._connection.scalar(_FIND, {"member_id": member_id})
        return None if body is None else decode(bytes(body))

    async def locked(self, member_id: UUID) -> Member | None:
        # Two statements: a join under FOR UPDATE would pair the row it waited for with the event it saw before.
        await self._connection.execute(_LOCK, {"member_id": member_id})
        return await self.find(member_id)

    async def record(self, member: Member, kind: str, author: Author) -> None:
        assert self._uow is not None
        row = {"member_id": member.member_id, "version": member.version, "status": member.status}
        written = await self._connection.execute(_INSERT if member.version == 1 else _MOVE, row)
        assert written.rowcount == 1, "the member's row is locked and one version behind"
        await self._connection.execute(
            _APPEND,
            {
                "member_id": member.member_id,
                "version": member.version,
                "kind": kind,
                "principal": author.principal,
                "reason": author.reason,
                "recorded_at": member.recorded_at,
                "body": encode(member),
            },
        )
        key = str(member.member_id)
        await self._uow.add_outbox([OutboxRow(TOPIC, key, f"{key}/{member.version}")])


class IdentityDirectory:
    """The port Directory: one row per identity in use, found by its keyed digest."""

    def __init__(self, connection: AsyncConnection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    def digest(self, identity: IdentityValue) -> Identity:
        return Identity(identity.kind, self._keys.digests.digest(identity.kind, identity.value))

    async def take(self, member_id: UUID, identities: Sequence[Identity]) -> Sequence[Identity]:
        await self._keys.check(self._connection, may_mark=True)
        # One statement inserts in the order of the digests and waits for whoever is inserting the same one;
        # only the next statement sees what they committed.
        arguments = {"member_id": member_id, "digests": [each.digest for each in identities]}
        await self._connection.execute(_TAKE, arguments | {"kinds": [each.kind for each in identities]})
        others = {bytes(row.digest) for row in await self._connection.execute(_OTHERS, arguments)}
        return [identity for identity in identities if identity.digest in others]

    async def release(self, member_id: UUID, identities: Sequence[Identity]) -> None:
        arguments = {"member_id": member_id, "digests": [each.digest for each in identities]}
        await self._connection.execute(_RELEASE, arguments)

    async def holder(self, identity: Identity) -> UUID | None:
        await self._keys.check(self._connection, may_mark=False)
        holder: UUID | None = await self._connection.scalar(_HOLDER, {"digest": identity.digest})
        return holder


_FIND = text("SELECT body FROM member JOIN member_event USING (member_id, version) WHERE member_id = :member_id")
_LOCK = text("SELECT 1 FROM member WHERE member_id = :member_id FOR UPDATE")
_INSERT = text("INSERT INTO member (member_id, version, status) VALUES (:member_id, :version, :status)")
_MOVE = text(
    "UPDATE member SET version = :version, status = :status WHERE member_id = :member_id AND version = :version - 1"
)
_APPEND = text(
    "INSERT INTO member_event (member_id, version, kind, principal, reason, recorded_at, body)"
    " VALUES (:member_id, :version, :kind, :principal, :reason, :recorded_at, :body)"
)
_TAKE = text(
    "INSERT INTO identity (digest, kind, member_id)"
    " SELECT digest, kind, CAST(:member_id AS uuid)"
    " FROM unnest(CAST(:digests AS bytea[]), CAST(:kinds AS text[])) AS wanted (digest, kind)"
    " ORDER BY digest ON CONFLICT (digest) DO NOTHING"
)
_OTHERS = text(
    "SELECT digest FROM identity"
    " WHERE digest = ANY(CAST(:digests AS bytea[])) AND member_id <> CAST(:member_id AS uuid)"
)
_RELEASE = text(
    "DELETE FROM identity WHERE digest = ANY(CAST(:digests AS bytea[])) AND member_id = CAST(:member_id AS uuid)"
)
_HOLDER = text("SELECT member_id FROM identity WHERE digest = :digest")
