"""Who did what by hand, and why; kept in the shared schema, beyond the reach of the services."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.runtime.postgres.unit_of_work import Database, UnitOfWork


@dataclass(frozen=True, slots=True)
class OperatorAction:
    at: datetime
    operator: str
    action: str
    why: str


async def note_action(uow: UnitOfWork, *, operator: str, action: str, subject: str, why: str = "") -> None:
    """In the transaction of what is done, or before it where that has transactions of its own."""
    given = {"operator": operator, "action": action, "subject": subject, "why": why}
    await uow.connection.execute(_NOTE, given)


async def actions_on(database: Database, subject: str) -> Sequence[OperatorAction]:
    """The oldest first."""
    async with database.read() as connection:
        rows = await connection.execute(_ON, {"subject": subject})
        return [OperatorAction(**row._mapping) for row in rows]


_NOTE = text("""
    INSERT INTO access.operator_action (operator, action, subject, why) VALUES (:operator, :action, :subject, :why)
""")
_ON = text("SELECT at, operator, action, why FROM access.operator_action WHERE subject = :subject ORDER BY id")
