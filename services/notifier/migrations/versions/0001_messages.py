"""Messages, their steps, what is known of members, and what the runtime keeps beside them."""

from alembic import op

from services.runtime.postgres.ddl import RUNTIME_TABLES, service_grants, statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE stream (
    member_id   uuid   PRIMARY KEY,
    message_seq bigint NOT NULL DEFAULT 0,
    chain_head  bytea  CHECK (octet_length(chain_head) = 32),
    tier_seq    bigint NOT NULL DEFAULT 0,
    tier_hash   bytea,
    tier        text
) WITH (fillfactor = 70);
CREATE TABLE message (
    member_id         uuid        NOT NULL,
    message_id        uuid        NOT NULL,
    campaign          text        NOT NULL,
    occurrence        text        NOT NULL,
    channel           text        NOT NULL,
    template          text        NOT NULL,
    purpose           text        NOT NULL,
    programme_version bigint      NOT NULL,
    tier              text        NOT NULL,
    effective_from    timestamptz NOT NULL,
    valid_until       timestamptz,
    due_at            timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    fate              text        NOT NULL,
    attempts          integer     NOT NULL,
    refusals          integer     NOT NULL,
    next_at           timestamptz,
    lease_until       timestamptz,
    PRIMARY KEY (member_id, message_id),
    UNIQUE (member_id, campaign, occurrence, channel),
    CHECK ((fate = 'planned') = (next_at IS NOT NULL)),
    CHECK ((fate = 'submitting') = (lease_until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX message_due ON message (next_at) WHERE fate = 'planned';
CREATE INDEX message_in_submission ON message (lease_until) WHERE fate = 'submitting';
CREATE TABLE message_event (
    member_id   uuid        NOT NULL,
    member_seq  bigint      NOT NULL CHECK (member_seq > 0),
    message_id  uuid        NOT NULL,
    fate        text        NOT NULL,
    reason      text,
    recorded_at timestamptz NOT NULL,
    fact        bytea       NOT NULL,
    hash        bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (member_id, member_seq)
);
CREATE INDEX message_event_by_message ON message_event (member_id, message_id, member_seq);
CREATE TABLE member_state (
    member_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    status    text   NOT NULL,
    locale    text,
    time_zone text,
    consents  jsonb  NOT NULL DEFAULT '[]'
);
CREATE VIEW message_event_json AS
    SELECT member_id, member_seq, message_id, fate, recorded_at, convert_from(fact, 'UTF8')::jsonb AS fact
    FROM message_event
"""


def upgrade() -> None:
    for statement in (*statements(RUNTIME_TABLES), *statements(TABLES)):
        op.execute(statement)
    for statement in service_grants("notifier", "loyalty_notifier", ("message_event",)):
        op.execute(statement)
