"""Members and their history, who has which identity, and the vault."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Erasing a person deletes the row in vault_key: whatever was sealed under it, backups included, is noise from then on.
TABLES = """
CREATE TABLE member (
    member_id uuid   PRIMARY KEY,
    version   bigint NOT NULL CHECK (version > 0),
    status    text   NOT NULL CHECK (status IN ('active', 'blocked', 'closed', 'erased'))
) WITH (fillfactor = 80);
CREATE TABLE member_event (
    member_id   uuid        NOT NULL,
    version     bigint      NOT NULL CHECK (version > 0),
    kind        text        NOT NULL,
    principal   text        NOT NULL,
    reason      text,
    recorded_at timestamptz NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (member_id, version)
);
CREATE TABLE identity (
    digest    bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    kind      text        NOT NULL,
    member_id uuid        NOT NULL,
    since     timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE vault_key (
    member_id uuid  PRIMARY KEY,
    wrapped   bytea NOT NULL
);
CREATE TABLE vault_field (
    member_id uuid  NOT NULL,
    field     text  NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (member_id, field)
);
CREATE TABLE vault_identity (
    member_id uuid  NOT NULL,
    digest    bytea NOT NULL,
    kind      text  NOT NULL,
    sealed    bytea NOT NULL,
    PRIMARY KEY (member_id, digest)
);
CREATE TABLE consent_proof (
    member_id uuid        NOT NULL,
    version   bigint      NOT NULL,
    purpose   text        NOT NULL,
    channel   text        NOT NULL,
    granted   boolean     NOT NULL,
    given_at  timestamptz NOT NULL,
    sealed    bytea       NOT NULL,
    PRIMARY KEY (member_id, version, purpose, channel)
);
CREATE TABLE key_check (
    key  text  PRIMARY KEY,
    mark bytea NOT NULL
);
CREATE VIEW member_json AS
    SELECT member_id, version, kind, principal, reason, recorded_at, convert_from(body, 'UTF8')::jsonb AS state
    FROM member_event
"""


def upgrade() -> None:
    for statement in statements(RUNTIME_TABLES) + statements(TABLES):
        op.execute(statement)
    for grant in service_grants("members", "loyalty_members", ["member_event", "consent_proof", "key_check"]):
        op.execute(grant)
