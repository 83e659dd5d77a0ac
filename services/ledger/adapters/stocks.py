"""How many of each limited reward are gone: a row per reward, itself a fold of the facts."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters.canonical import decode
from services.ledger.adapters.statuses import status_of
from services.ledger.domain.facts import PointsRedeemed, RedemptionCancelled, SpendingFact
from services.ledger.domain.ids import MemberId

TAKEN = text("SELECT reward, taken FROM reward_stock")
SPENDING = text("""
SELECT fact FROM entry WHERE member_id = CAST(:member_id AS uuid)
AND type IN ('points_redeemed', 'redemption_cancelled') ORDER BY member_seq
""")


class PostgresStocks:
    """Reads within one connection, which may be a snapshot."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def taken(self) -> Mapping[str, int]:
        return {row.reward: row.taken for row in await self._connection.execute(TAKEN)}

    async def status(self, member: MemberId) -> str | None:
        return await status_of(self._connection, member)

    async def spending(self, member: MemberId) -> list[SpendingFact]:
        rows = await self._connection.execute(SPENDING, {"member_id": member})
        facts = [decode(bytes(row.fact))[2] for row in rows]
        return [fact for fact in facts if isinstance(fact, PointsRedeemed | RedemptionCancelled)]
