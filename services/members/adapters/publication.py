"""What the topic `members` gets from the tables, and whether the tables know what stands in it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.members.adapters.contract import TOPIC, headers
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.unit_of_work import UnitOfWork


class MemberPublication:
    """Resolves outbox pointers `<member_id>/<version>` to the stored bytes."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        wanted = [_parts(row.ref) for row in rows]
        found = await connection.execute(
            _BODIES, {"members": [member for member, _ in wanted], "versions": [version for _, version in wanted]}
        )
        bodies = {(row.member_id, row.version): bytes(row.body) for row in found}
        return [_message(row, bodies[part]) for row, part in zip(rows, wanted, strict=True)]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        await uow.connection.execute(_LOCK, {"member_id": UUID(key)})
        versions = await uow.connection.scalars(_VERSIONS, {"member_id": UUID(key)})
        return [OutboxRow(topic, key, f"{key}/{version}") for version in versions]


class MemberTopic:
    """The guard's question: has this database recorded the version that the topic ends with?"""

    topics: Sequence[str] = (TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        if record.value is None:
            status = await connection.scalar(_STATUS, {"member_id": UUID(record.key)})
            return bool(status == "erased")
        member_id, version = _parts(record.headers["ce_id"])
        body = await connection.scalar(_BODY, {"member_id": member_id, "version": version})
        return body is not None and bytes(body) == record.value

    def remedy(self, topic: str) -> str:
        return "restore the newest backup of schema `members`: it must hold all that the topic holds"


def _message(row: StoredOutboxRow, body: bytes) -> Message:
    return Message(row.topic, row.key, body, headers(body))


def _parts(ref: str) -> tuple[UUID, int]:
    member_id, _, version = ref.partition("/")
    return UUID(member_id), int(version)


_BODIES = text(
    "SELECT member_id, version, body FROM member_event JOIN"
    " unnest(CAST(:members AS uuid[]), CAST(:versions AS bigint[])) AS wanted (member_id, version)"
    " USING (member_id, version)"
)
_LOCK = text("SELECT FROM member WHERE member_id = :member_id FOR UPDATE")
_VERSIONS = text("SELECT version FROM member_event WHERE member_id = :member_id ORDER BY version")
_STATUS = text("SELECT status FROM member WHERE member_id = :member_id")
_BODY = text("SELECT body FROM member_event WHERE member_id = :member_id AND version = :version")
