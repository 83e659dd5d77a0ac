"""The floor: the same rows into the same database by the plainest idempotent write, on one connection."""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg

BATCH_ROWS = 500

TABLES = """
CREATE TABLE floor_entry (
    member_id uuid, member_seq bigint, event_id uuid, part smallint, type text,
    occurred_at timestamptz, recorded_at timestamptz, fact bytea, hash bytea,
    PRIMARY KEY (member_id, member_seq), UNIQUE (member_id, event_id, part)
);
CREATE TABLE floor_balance (member_id uuid PRIMARY KEY, points bigint NOT NULL) WITH (fillfactor = 70);
"""
DROP = "DROP TABLE IF EXISTS floor_entry, floor_balance"
INSERT = """
INSERT INTO floor_entry
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[],
                     $6::timestamptz[], $7::timestamptz[], $8::bytea[], $9::bytea[])
ON CONFLICT DO NOTHING
"""
UPSERT = """
INSERT INTO floor_balance AS b
SELECT member_id, sum(points) FROM unnest($1::uuid[], $2::bigint[]) AS r (member_id, points)
GROUP BY member_id ORDER BY member_id ON CONFLICT (member_id) DO UPDATE SET points = b.points + excluded.points
"""
READ = """
SELECT member_id, member_seq, event_id, part, type, occurred_at, recorded_at, fact, hash
FROM ledger.entry ORDER BY recorded_at, member_id, member_seq LIMIT $1
"""


async def rows_of_the_books(connection: Any, limit: int) -> list[tuple[Any, ...]]:
    """The rows that the fold wrote, in the order in which it wrote them."""
    return [tuple(row) for row in await connection.fetch(READ, limit)]


async def write_floor(connection: asyncpg.Connection, rows: Sequence[tuple[Any, ...]]) -> float:
    """Rows a second of INSERT … ON CONFLICT DO NOTHING and a balance upsert, a durable transaction a batch."""
    await connection.execute(DROP)
    await connection.execute(TABLES)
    started = time.perf_counter()
    for start in range(0, len(rows), BATCH_ROWS):
        batch = rows[start : start + BATCH_ROWS]
        async with connection.transaction():
            await connection.execute(INSERT, *zip(*batch, strict=True))
            await connection.execute(UPSERT, [row[0] for row in batch], [1] * len(batch))
    seconds = time.perf_counter() - started
    await connection.execute(DROP)
    return len(rows) / seconds
