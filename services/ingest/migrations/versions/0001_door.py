"""The door: event ids, identities, what was accepted, told, set aside, and what the runtime keeps beside them."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE checkout (
    event_id        uuid PRIMARY KEY,
    fate            text CHECK (fate IN ('accepted', 'unclaimed', 'waiting', 'review', 'ignored', 'lapsed')),
    reason          text,
    fingerprint     bytea CHECK (octet_length(fingerprint) = 32),
    identity_digest bytea,
    member_id       uuid,
    original_id     uuid,
    source          text,
    occurred_at     timestamptz,
    recorded_at     timestamptz,
    duplicates      integer NOT NULL DEFAULT 0,
    outcomes        integer NOT NULL DEFAULT 0,
    sealed_body     bytea,
    CHECK ((fate IS NULL) = (fingerprint IS NULL)),
    CHECK ((fate = 'accepted') = (member_id IS NOT NULL))
);
CREATE INDEX checkout_unclaimed ON checkout (identity_digest) WHERE fate = 'unclaimed';
CREATE INDEX checkout_waiting ON checkout (original_id) WHERE fate = 'waiting';
CREATE TABLE conflict (
    event_id        uuid        NOT NULL,
    fingerprint     bytea       NOT NULL,
    identity_digest bytea       NOT NULL DEFAULT '',
    reason          text        NOT NULL,
    recorded_at     timestamptz NOT NULL,
    times           integer     NOT NULL DEFAULT 1,
    sealed_body     bytea       NOT NULL,
    PRIMARY KEY (event_id, fingerprint, identity_digest)
);
CREATE TABLE identity (
    digest    bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    member_id uuid,
    known_at  timestamptz
);
CREATE INDEX identity_of_member ON identity (member_id) WHERE member_id IS NOT NULL;
CREATE TABLE member (
    member_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    status    text   NOT NULL
);
CREATE TABLE purchase (
    member_id   uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (member_id, event_id)
);
CREATE TABLE outcome (
    event_id    uuid        NOT NULL,
    outcome_seq integer     NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (event_id, outcome_seq)
);
CREATE TABLE activity (
    member_id   uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    fingerprint bytea       NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (member_id, event_id)
);
CREATE INDEX dead_letter_by_event ON dead_letter (event_ref) WHERE event_ref IS NOT NULL
"""


def upgrade() -> None:
    for statement in (*statements(RUNTIME_TABLES), *statements(TABLES)):
        op.execute(statement)
    for grant in service_grants("ingest", "loyalty_ingest", append_only=("purchase", "outcome", "activity")):
        op.execute(grant)
