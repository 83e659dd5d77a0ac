"""What people did by hand: whose decision it was, and who opened what is sealed."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# No service may read or write it: the command `loyalty` does, as the login role.
TABLE = """
    CREATE TABLE access.operator_action (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        operator text NOT NULL CHECK (operator <> ''),
        action text NOT NULL,
        subject text NOT NULL,
        why text NOT NULL DEFAULT ''
    )
"""
BY_SUBJECT = "CREATE INDEX operator_action_by_subject ON access.operator_action (subject)"


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(BY_SUBJECT)
