"""Birthdays: what members have told, the days that are looked after, what is ahead, and the gifts of campaigns."""

from alembic import op

from services.runtime.postgres.ddl import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE member_state
    ADD COLUMN birthday_calendar text,
    ADD COLUMN birthday_month    smallint,
    ADD COLUMN birthday_day      smallint,
    ADD COLUMN birthday_since    timestamptz;
CREATE INDEX member_state_birthday ON member_state (birthday_month, birthday_day, member_id)
    WHERE birthday_calendar = 'gregorian';
ALTER TABLE message
    ADD COLUMN occasion     text NOT NULL DEFAULT 'tier',
    ADD COLUMN birthday_day date,
    ALTER COLUMN tier DROP NOT NULL,
    ALTER COLUMN effective_from DROP NOT NULL,
    ADD CHECK (occasion IN ('tier', 'birthday')),
    ADD CHECK ((occasion = 'tier') = (tier IS NOT NULL AND effective_from IS NOT NULL)),
    ADD CHECK ((occasion = 'birthday') = (birthday_day IS NOT NULL));
CREATE TABLE birthday_watch (
    id        smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    first_day date,
    last_day  date,
    version   bigint   NOT NULL DEFAULT 0,
    CHECK ((first_day IS NULL) = (last_day IS NULL))
);
INSERT INTO birthday_watch DEFAULT VALUES;
CREATE TABLE birthday_sweep (
    day          date PRIMARY KEY,
    after_member uuid
);
CREATE TABLE agenda (
    member_id  uuid        NOT NULL,
    campaign   text        NOT NULL,
    occurrence text        NOT NULL,
    due_at     timestamptz NOT NULL,
    PRIMARY KEY (member_id, campaign, occurrence)
);
CREATE INDEX agenda_due ON agenda (due_at);
CREATE TABLE gift (
    member_id   uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        bytea       NOT NULL,
    PRIMARY KEY (member_id, event_id)
);
CREATE VIEW gift_json AS
    SELECT member_id, event_id, recorded_at, convert_from(body, 'UTF8')::jsonb AS body FROM gift;
GRANT SELECT, UPDATE ON birthday_watch TO loyalty_notifier;
GRANT SELECT, INSERT, UPDATE, DELETE ON birthday_sweep, agenda TO loyalty_notifier;
GRANT SELECT, INSERT ON gift TO loyalty_notifier;
GRANT SELECT ON gift_json TO loyalty_notifier
"""

# What the notifier has read of `members` before, it has kept without birthdays: it reads the topic once more.
READ_MEMBERS_AGAIN = """
UPDATE checkpoint SET epoch = epoch + 1, next_offset = 0, last_offset = NULL, last_id = NULL, unreadable_run = '{}',
    state = 'running', cause = NULL
WHERE topic = 'members'
"""


def upgrade() -> None:
    for statement in statements(TABLES + ";" + READ_MEMBERS_AGAIN):
        op.execute(statement)
