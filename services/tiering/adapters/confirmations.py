"""How far each partition of `points` was taken, and which end of a tier comes first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tiering.adapters.standings import NOT_PARKED


@dataclass(frozen=True, slots=True)
class ConfirmationTable:
    """Meets the application's `Confirmations` inside the transaction of its connection."""

    connection: AsyncConnection

    async def confirm(self, partition: int, at: datetime) -> None:
        await self.connection.execute(_CONFIRM, {"partition": partition, "at": at})

    async def confirmed(self) -> Mapping[int, datetime]:
        return {row.partition: row.confirmed_at for row in await self.connection.execute(_CONFIRMED)}

    async def earliest_end(self) -> datetime | None:
        found: datetime | None = await self.connection.scalar(_EARLIEST)
        return found


_CONFIRM = text("""
    INSERT INTO points_confirmation AS known (partition, confirmed_at) VALUES (:partition, :at)
    ON CONFLICT (partition) DO UPDATE SET confirmed_at = greatest(known.confirmed_at, excluded.confirmed_at)
""")
_CONFIRMED = text("SELECT partition, confirmed_at FROM points_confirmation")
_EARLIEST = text(f"SELECT due_at FROM standing WHERE due_at IS NOT NULL AND {NOT_PARKED} ORDER BY due_at LIMIT 1")
