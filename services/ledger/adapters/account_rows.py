"""What the books keep of an account beside its entries, and what of it is not their fold."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters import canonical
from services.ledger.application.replay import MemberFold
from services.ledger.domain.ids import MemberId
from services.ledger.domain.settle import next_due
from services.ledger.domain.state import AccountState
from services.ledger.domain.verify import first_difference

ROWS = """
SELECT a.member_id::text, a.member_seq, a.chain_head, a.state, a.due_at, d.due_at
FROM account a LEFT JOIN due d ON d.member_id = a.member_id
"""
ALL_ROWS = text(ROWS + "WHERE a.member_seq > 0")
ROWS_OF = ROWS + "WHERE a.member_id = ANY ($1::uuid[])"


class AccountRow(NamedTuple):
    """One row of `account`, with the member's row of `due` beside it."""

    member_seq: int
    chain_head: bytes | None
    state: bytes | None
    due_at: datetime | None
    due: datetime | None


class Difference(NamedTuple):
    """Which check failed, and how."""

    check: str
    detail: str


async def all_rows(connection: AsyncConnection) -> dict[MemberId, AccountRow]:
    """Of the members who have facts."""
    return {MemberId(member): AccountRow(*row) for member, *row in await connection.execute(ALL_ROWS)}


async def rows_of(driver: Any, members: Sequence[MemberId]) -> dict[MemberId, AccountRow]:
    return {MemberId(member): AccountRow(*row) for member, *row in await driver.fetch(ROWS_OF, members)}


def difference(row: AccountRow | None, fold: MemberFold) -> Difference | None:
    """The first thing that is not the fold of the entries; None = all is."""
    state = fold.state
    if row is None:
        return Difference("cache", "there is no account")
    if (row.member_seq, row.chain_head) != (state.member_seq, fold.chain_head):
        return Difference("cache", f"the account stands at number {row.member_seq}")
    if row.state != canonical.encode_state(state):
        return Difference("cache", _state_difference(row.state, state))
    if not next_due(state) == row.due_at == row.due:
        return Difference("due", f"due at {next_due(state)}, stored {row.due}")
    return None


def lacks_entries(row: AccountRow | None, fold: MemberFold) -> bool:
    """Whether the account knows of a fact that is no longer there: then it is the last witness, and no wrong cache."""
    return row is not None and row.member_seq > fold.state.member_seq and row.chain_head != fold.chain_head


def _state_difference(stored: bytes | None, state: AccountState) -> str:
    try:
        cached = canonical.decode_state(stored or b"")
    except (ValueError, KeyError, TypeError):
        return "the stored account cannot be read"
    return first_difference(cached, state) or "the stored account is spelled differently"
