"""Points that returns give back: the short way to what a member has spent leads to these facts as well."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX entry_of_redemptions ON entry (member_id, member_seq)
    WHERE type IN ('points_redeemed', 'redemption_cancelled', 'points_restored', 'points_spent_again');
DROP INDEX entry_spending
"""


def upgrade() -> None:
    for statement in statements(INDEX):
        op.execute(statement)
