"""Since when a member's tier counts: one that ends before it says nothing about it."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Null where the last change was taken before; whichever comes next is then the last word.
TABLES = "ALTER TABLE stream ADD COLUMN tier_since timestamptz"


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
