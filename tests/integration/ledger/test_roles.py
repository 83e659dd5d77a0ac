"""What the ledger's role may not do, asked as that role."""

import pytest
from sqlalchemy.exc import DBAPIError

from services.runtime.postgres.faults import sqlstate
from tests.support.ledger import LedgerService, new_member, purchase

INSUFFICIENT_PRIVILEGE = "42501"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET fact = fact",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "UPDATE document_version SET body = body",
        "DROP TABLE entry",
        "SELECT * FROM ingest.event",
        "SELECT * FROM members.member",
        "SELECT * FROM tiering.checkpoint",
        "INSERT INTO access.api_key (id, hash, owner) VALUES ('x', '', 'x')",
        "SELECT * FROM access.operator_action",
        "INSERT INTO access.operator_action (operator, action, subject) VALUES ('x', 'x', 'x')",
    ],
)
async def test_the_role_may_not(books: LedgerService, statement: str) -> None:
    await books.record(purchase(new_member()))
    with pytest.raises(DBAPIError) as refused:
        await books.query(statement)
    assert sqlstate(refused.value) == INSUFFICIENT_PRIVILEGE
