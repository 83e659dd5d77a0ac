"""Published versions of the programme; a row is never changed."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Whoever publishes holds the one row of `turn`: two versions written at once would both follow the same one.
TABLES = """
CREATE TABLE version (
    version        integer     PRIMARY KEY CHECK (version > 0),
    effective_from timestamptz NOT NULL,
    published_at   timestamptz NOT NULL,
    published_by   text        NOT NULL,
    fact           bytea       NOT NULL
);
CREATE TABLE turn (
    single boolean PRIMARY KEY CHECK (single)
);
INSERT INTO turn VALUES (true)
"""


def upgrade() -> None:
    for statement in statements(RUNTIME_TABLES) + statements(TABLES):
        op.execute(statement)
    for grant in service_grants("programme", "loyalty_programme", ["version"]):
        op.execute(grant)
