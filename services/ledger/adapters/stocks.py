"""How many of each limited reward are gone: a row per reward, itself a fold of the facts."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters.canonical import decode
from services.ledger.adapters.statuses import status_of
from services.ledger.domain.facts import PointsRedeemed, RedemptionCancelled, SpendingFact
from services.ledger.domain.ids import MemberId
from services.runtime.postgres.unit_of_work import UnitOfWork

TAKEN = text("SELECT reward, taken FROM reward_stock")
SPENDING = text("""
SELECT fact FROM entry WHERE member_id = CAST(:member_id AS uuid)
AND type IN ('points_redeemed', 'redemption_cancelled') ORDER BY member_seq
""")

FOLDED = """
SELECT reward, sum(change)::bigint AS taken FROM (
    SELECT coalesce(fact ->> 'reward', fact ->> 'as_money') AS reward, 1 AS change FROM entry_json
    WHERE type = 'points_redeemed' AND jsonb_typeof(fact -> 'stock') = 'object'
    UNION ALL
    SELECT fact ->> 'limited', -1 FROM entry_json
    WHERE type = 'redemption_cancelled' AND (fact ->> 'frees_stock')::boolean
) changes GROUP BY reward
"""
FACTS_SAY = text(FOLDED)
# Behind this lock nobody is between a redemption's fact and its row, whichever of them he writes first.
LOCK = text("LOCK TABLE reward_stock IN EXCLUSIVE MODE")
FORGET = text("DELETE FROM reward_stock")
REFOLD = text("INSERT INTO reward_stock (reward, taken)" + FOLDED)


async def refold_stock(uow: UnitOfWork) -> None:
    """The rows from the facts alone, for books that were rebuilt or repaired; redemptions of limited rewards wait."""
    await uow.connection.execute(LOCK)
    await uow.connection.execute(FORGET)
    await uow.connection.execute(REFOLD)


async def folded_stock(connection: AsyncConnection) -> dict[str, int]:
    """What the facts say is gone of each reward."""
    return {row.reward: row.taken for row in await connection.execute(FACTS_SAY)}


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
