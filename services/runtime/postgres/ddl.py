"""The tables that the runtime keeps in every service's own schema, and the rights of the service's role."""

from collections.abc import Sequence

RUNTIME_TABLES = """
CREATE TABLE checkpoint (
  consumer text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  owner text NOT NULL DEFAULT '',
  next_offset bigint NOT NULL,
  last_offset bigint,
  last_id text,
  unreadable_run text[] NOT NULL DEFAULT '{}',
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'waiting', 'stopped')),
  cause text,
  updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  key text NOT NULL,
  ref text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE relay_lease (
  shard integer PRIMARY KEY,
  owner text NOT NULL,
  expires_at timestamptz NOT NULL
);

CREATE TABLE dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer text NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  key text,
  event_ref text,
  code text NOT NULL,
  detail text NOT NULL,
  pointer text NOT NULL DEFAULT '',
  sealed bytea,
  headers jsonb NOT NULL DEFAULT '{}',
  appended_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded')),
  decided_by text,
  decided_at timestamptz,
  UNIQUE (topic, partition, "offset")
);

CREATE TABLE parked_key (
  consumer text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  parked_by text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, topic, key)
);

CREATE TABLE parked (
  consumer text NOT NULL,
  topic text NOT NULL,
  key text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  sealed bytea,
  headers jsonb NOT NULL DEFAULT '{}',
  appended_at timestamptz NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, topic, key, partition, "offset")
);

CREATE TABLE document_version (
  version bigint PRIMARY KEY,
  effective_from timestamptz NOT NULL,
  appended_at timestamptz NOT NULL,
  starts_at timestamptz NOT NULL,
  body bytea NOT NULL
);

CREATE TABLE document_confirmation (
  id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  confirmed_at timestamptz NOT NULL
);

CREATE TABLE idempotency (
  principal text NOT NULL,
  operation text NOT NULL,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  status integer NOT NULL,
  body bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (principal, operation, key)
)
"""

APPEND_ONLY_RUNTIME_TABLES = ("document_version",)


def statements(sql: str) -> list[str]:
    """Single statements of a script without function bodies: asyncpg takes one at a time."""
    return [part.strip() for part in sql.split(";") if part.strip()]


def service_grants(schema: str, role: str, append_only: Sequence[str]) -> list[str]:
    """The role may write its own schema, but neither UPDATE nor DELETE in the `append_only` tables."""
    kept = ", ".join(f"{schema}.{table}" for table in (*append_only, *APPEND_ONLY_RUNTIME_TABLES))
    return [
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        f"REVOKE UPDATE, DELETE ON {kept} FROM {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON {schema}.alembic_version FROM {role}",
    ]
