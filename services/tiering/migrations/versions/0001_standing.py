"""Standings, the changes published about them, and which members there are."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE standing (
    member_id   uuid   PRIMARY KEY,
    points_seq  bigint NOT NULL,
    points_hash bytea  NOT NULL CHECK (octet_length(points_hash) = 32),
    member_seq  bigint NOT NULL,
    head        bytea  NOT NULL CHECK (octet_length(head) = 32),
    state       jsonb  NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE tier_change (
    member_id      uuid        NOT NULL,
    member_seq     bigint      NOT NULL CHECK (member_seq > 0),
    event_id       uuid        NOT NULL,
    effective_from timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    fact           bytea       NOT NULL,
    hash           bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (member_id, member_seq)
);
CREATE VIEW tier_change_json AS
    SELECT member_id, member_seq, event_id, effective_from, recorded_at, convert_from(fact, 'UTF8')::jsonb AS fact
    FROM tier_change;
CREATE TABLE member (
    member_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    status    text   NOT NULL
) WITH (fillfactor = 80)
"""


def upgrade() -> None:
    for statement in statements(RUNTIME_TABLES) + statements(TABLES):
        op.execute(statement)
    for grant in service_grants("tiering", "loyalty_tiering", ["tier_change"]):
        op.execute(grant)
