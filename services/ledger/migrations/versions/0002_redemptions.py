"""Redemptions: how many of a limited reward are gone, and a short way to what a member has spent."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reward_stock (
    reward text   PRIMARY KEY,
    taken  bigint NOT NULL CHECK (taken >= 0)
) WITH (fillfactor = 50);
CREATE INDEX entry_spending ON entry (member_id, member_seq)
    WHERE type IN ('points_redeemed', 'redemption_cancelled');
GRANT SELECT, INSERT, UPDATE, DELETE ON reward_stock TO loyalty_ledger
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
