"""The books as a reader sees them: accounts from the cache, facts from the entries."""

from collections.abc import Collection, Sequence
from json import loads
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters.canonical import decode, decode_state
from services.ledger.adapters.statuses import status_of
from services.ledger.application.inquiry import StoredFact
from services.ledger.domain.facts import (
    Fact,
    PointsCorrected,
    PointsRestored,
    PointsSpentAgain,
    ReturnRecorded,
    ReturnVoided,
)
from services.ledger.domain.ids import EventId, MemberId
from services.ledger.domain.state import AccountState

ACCOUNT = text("SELECT state FROM account WHERE member_id = CAST(:member_id AS uuid)")
FACTS = text("""
SELECT fact, hash FROM entry WHERE member_id = CAST(:member_id AS uuid) AND member_seq > :after
ORDER BY member_seq LIMIT :limit
""")
FACTS_OF_EVENT = text("""
SELECT fact, hash FROM entry WHERE event_id = CAST(:event_id AS uuid) ORDER BY member_id, member_seq
""")


class PostgresArchive:
    """Reads within one connection, which may be a snapshot."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def account(self, member_id: MemberId) -> AccountState | None:
        state = (await self._connection.execute(ACCOUNT, {"member_id": member_id})).scalar_one_or_none()
        return None if state is None else decode_state(bytes(state))

    async def is_member(self, member_id: MemberId) -> bool:
        return await status_of(self._connection, member_id) is not None

    async def facts(self, member_id: MemberId, *, after: int = 0, limit: int | None = None) -> list[StoredFact]:
        asked = {"member_id": member_id, "after": after, "limit": limit}
        return [_stored(row) for row in await self._connection.execute(FACTS, asked)]

    async def facts_of_event(self, event_id: EventId) -> list[StoredFact]:
        return [_stored(row) for row in await self._connection.execute(FACTS_OF_EVENT, {"event_id": event_id})]

    async def facts_behind(
        self, member_id: MemberId, after: int, event_id: EventId, lots: Sequence[str]
    ) -> list[StoredFact]:
        wanted = set(lots)
        facts = await self.facts(member_id, after=after)
        return [each for each in facts if _speaks_of(each.fact, event_id) or _touches(each.fact, wanted)]


def _speaks_of(fact: Fact, event_id: EventId) -> bool:
    match fact:
        case ReturnVoided():
            return event_id in (fact.original_id, fact.return_id)
        case ReturnRecorded() | PointsCorrected():
            return event_id == fact.original_id
        case PointsSpentAgain():
            return event_id in (fact.original_id, fact.redemption_id, fact.return_id)
        case PointsRestored():
            return event_id in (fact.original_id, fact.redemption_id)
        case _:
            return False


def _touches(fact: Fact, lots: Collection[str]) -> bool:
    return any(move.lot in lots for move in fact.moves)


def _stored(row: Any) -> StoredFact:
    member_id, member_seq, fact = decode(bytes(row.fact))
    return StoredFact(member_id, member_seq, fact, loads(row.fact), bytes(row.hash))
