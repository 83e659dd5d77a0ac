"""Tier changes read back as they were published."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class HistoryTable:
    connection: AsyncConnection

    async def newest_first(self, member_id: str, *, before: int | None, limit: int) -> Sequence[dict[str, Any]] | None:
        """None for an unknown member; `before` is a number of the member's changes."""
        asked = {"member_id": member_id, "before": before, "limit": limit}
        if await self.connection.scalar(_KNOWN, asked) is None:
            return None
        return [json.loads(bytes(row.fact)) for row in await self.connection.execute(_CHANGES, asked)]


_KNOWN = text("SELECT 1 FROM member WHERE member_id = CAST(:member_id AS uuid)")
_CHANGES = text(
    "SELECT fact FROM tier_change WHERE member_id = CAST(:member_id AS uuid)"
    " AND member_seq < COALESCE(CAST(:before AS bigint), 9223372036854775807)"
    " ORDER BY member_seq DESC LIMIT :limit"
)
