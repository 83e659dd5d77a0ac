"""When a member's tier ends, and up to when each partition of `points` was taken to its end."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What was told before has its end in the state: [number, from, tier, until], instants in microseconds.
TABLES = """
ALTER TABLE standing ADD COLUMN due_at timestamptz;
UPDATE standing SET due_at = to_timestamp(told.first_end)
FROM (
    SELECT member_id, min((change ->> 3)::numeric) / 1000000 AS first_end
    FROM standing, jsonb_array_elements(state -> 'published') AS change
    GROUP BY member_id
) AS told
WHERE told.member_id = standing.member_id;
CREATE INDEX standing_due ON standing (due_at, member_id) WHERE due_at IS NOT NULL;
CREATE TABLE points_confirmation (
    partition    integer     PRIMARY KEY,
    confirmed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON points_confirmation TO loyalty_tiering
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
