"""API keys: the one table that all services read."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Every role may read the hashes: they are of 256 random bits, and each service checks keys by itself.
STATEMENTS = (
    """
    CREATE TABLE access.api_key (
        id text PRIMARY KEY,
        hash bytea NOT NULL CHECK (octet_length(hash) = 32),
        owner text NOT NULL CHECK (owner <> ''),
        scopes text[] NOT NULL,
        sources text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        revoked_at timestamptz
    )
    """,
    "GRANT USAGE ON SCHEMA access TO PUBLIC",
    "GRANT SELECT ON access.api_key TO PUBLIC",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
