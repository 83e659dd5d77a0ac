"""How versions leave for topic `programme`, and how the service knows a published one as its own."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import event_headers
from schemas.programme import PROGRAMME_KEY, PROGRAMME_V1, ProgrammePublished
from services.runtime.kafka.relay import StoredOutboxRow
from services.runtime.ports import Message, OutboxRow, Record
from services.runtime.postgres.unit_of_work import UnitOfWork

TOPIC = "programme"
SOURCE = "programme"


class VersionSource:
    """Turns outbox rows into the stored versions, byte for byte."""

    async def resolve(self, connection: AsyncConnection, rows: Sequence[StoredOutboxRow]) -> Sequence[Message]:
        found = await connection.execute(_FACTS, {"versions": [int(row.ref) for row in rows]})
        messages = {str(row.version): _message(row.version, bytes(row.fact)) for row in found}
        return [messages[row.ref] for row in rows]

    async def facts_of_key(self, uow: UnitOfWork, topic: str, key: str) -> list[OutboxRow]:
        if key != PROGRAMME_KEY:
            return []
        await uow.connection.execute(_TAKE_TURN)
        return [OutboxRow(topic, key, str(version)) for version in await uow.connection.scalars(_VERSIONS)]


class ProgrammeTopic:
    """The guard's question: does this database hold the last version of the topic, word for word?"""

    topics: Sequence[str] = (TOPIC,)

    async def knows(self, connection: AsyncConnection, record: Record[bytes | None]) -> bool:
        number = ProgrammePublished.model_validate_json(record.value or b"").version
        found = (await connection.execute(_FACTS, {"versions": [number]})).one_or_none()
        # The same number is not enough: an older backup may have published another version under it.
        return found is not None and bytes(found.fact) == record.value

    def remedy(self, topic: str) -> str:
        return "restore the newest backup of schema `programme`: it must hold all that the topic holds"


def _message(version: int, fact: bytes) -> Message:
    published = ProgrammePublished.model_validate_json(fact)
    event_id = f"{PROGRAMME_KEY}/{version}"
    headers = event_headers(event_type=PROGRAMME_V1, event_id=event_id, source=SOURCE, at=published.published_at)
    return Message(TOPIC, PROGRAMME_KEY, fact, headers)


_TAKE_TURN = text("SELECT FROM turn FOR UPDATE")
_VERSIONS = text("SELECT version FROM version ORDER BY version")
_FACTS = text("SELECT version, fact FROM version WHERE version = ANY(CAST(:versions AS integer[]))")
