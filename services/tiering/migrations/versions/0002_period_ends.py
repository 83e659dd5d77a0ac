"""When a member's tier ends, and up to when each partition of `points` was taken to its end."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE standing ADD COLUMN due_at timestamptz;
CREATE INDEX standing_due ON standing (due_at, member_id) WHERE due_at IS NOT NULL;
CREATE TABLE points_confirmation (
    partition    integer     PRIMARY KEY,
    confirmed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON points_confirmation TO loyalty_tiering
"""
# The first end that was told, of [number, from, tier, until] in microseconds; who is not due yet is looked at once.
WHAT_WAS_TOLD = """
UPDATE standing SET due_at = told.first_end
FROM (
    SELECT member_id, to_timestamp(min((change ->> 3)::numeric) / 1000000) AS first_end
    FROM standing, jsonb_array_elements(state -> 'published') AS change
    GROUP BY member_id
) AS told
WHERE told.member_id = standing.member_id
"""


def upgrade() -> None:
    for statement in [*statements(TABLES), WHAT_WAS_TOLD]:
        op.execute(statement)
