"""The books: entries, accounts, due dates, the outbox and what the runtime keeps beside them."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE entry (
    member_id   uuid        NOT NULL,
    member_seq  bigint      NOT NULL CHECK (member_seq > 0),
    event_id    uuid        NOT NULL,
    part        smallint    NOT NULL CHECK (part >= 0),
    type        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    fact        bytea       NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (member_id, member_seq),
    UNIQUE (member_id, event_id, part)
);
CREATE INDEX entry_by_event ON entry (event_id);
CREATE TABLE account (
    member_id  uuid   PRIMARY KEY,
    member_seq bigint NOT NULL DEFAULT 0,
    chain_head bytea,
    state      bytea,
    due_at     timestamptz
) WITH (fillfactor = 70);
CREATE TABLE due (
    member_id uuid PRIMARY KEY,
    due_at    timestamptz NOT NULL
);
CREATE INDEX due_by_instant ON due (due_at);
CREATE TABLE member_status (
    member_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    status    text   NOT NULL
);
CREATE VIEW entry_json AS
    SELECT member_id, member_seq, type, occurred_at, recorded_at, convert_from(fact, 'UTF8')::jsonb AS fact FROM entry;
CREATE VIEW account_json AS
    SELECT member_id, member_seq, due_at, convert_from(state, 'UTF8')::jsonb AS state FROM account;
"""


def upgrade() -> None:
    for statement in (*statements(RUNTIME_TABLES), *statements(TABLES)):
        op.execute(statement)
    for grant in service_grants("ledger", "loyalty_ledger", append_only=("entry",)):
        op.execute(grant)
