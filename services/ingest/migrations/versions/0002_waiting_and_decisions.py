"""Until when a checkout waits, and what a person made of a conflict."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What waits already was recorded without its end; the window that a programme has unless it says otherwise is P30D.
CHANGES = """
ALTER TABLE checkout ADD COLUMN waits_until timestamptz;
UPDATE checkout SET waits_until = recorded_at + interval '720 hours' WHERE fate IN ('unclaimed', 'waiting');
CREATE INDEX checkout_waits_until ON checkout (waits_until) WHERE fate IN ('unclaimed', 'waiting');
ALTER TABLE conflict
    ADD COLUMN verdict     text CHECK (verdict IN ('kept_first', 'accepted_second')),
    ADD COLUMN decided_by  text,
    ADD COLUMN decided_at  timestamptz,
    ADD COLUMN why         text,
    ADD COLUMN accepted_as uuid,
    ADD CHECK ((verdict IS NULL) = (decided_at IS NULL)),
    ADD CHECK ((verdict IS NOT DISTINCT FROM 'accepted_second') = (accepted_as IS NOT NULL)),
    ALTER COLUMN sealed_body DROP NOT NULL;
CREATE INDEX conflict_open ON conflict (recorded_at, event_id) WHERE verdict IS NULL
"""


def upgrade() -> None:
    for statement in statements(CHANGES):
        op.execute(statement)
