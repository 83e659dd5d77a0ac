"""The door's tables for checkouts, inside one unit of work."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.ingest.application.ports import ConflictRow, Entry, OutcomeRow, PurchaseRow
from services.ingest.domain.admission import Fate, Reason, Standing
from services.ingest.domain.identity import EventId, MemberId
from services.runtime.ports import OutboxRow
from services.runtime.postgres.unit_of_work import UnitOfWork

PURCHASES_TOPIC = "purchases"
OUTCOMES_TOPIC = "outcomes"

PLACE_IDENTITIES = """
INSERT INTO identity (digest)
SELECT given.digest FROM unnest($1::bytea[]) AS given (digest)
WHERE NOT EXISTS (SELECT FROM identity WHERE identity.digest = given.digest)
ORDER BY 1 ON CONFLICT DO NOTHING
"""
# Shared, so that sales with one card do not wait for each other; a registration, which locks for update, waits.
SHARE_OWNERS = "SELECT digest, member_id FROM identity WHERE digest = ANY($1::bytea[]) ORDER BY digest FOR SHARE"

# One list for reading, taking and saving: the order of the values is the order of the columns.
COLUMNS = """
event_id, fate, reason, fingerprint, identity_digest, member_id, original_id, duplicates, outcomes,
source, occurred_at, recorded_at, sealed_body, waits_until
"""
GIVEN = f"""
unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::uuid[], $7::uuid[], $8::int[], $9::int[],
$10::text[], $11::timestamptz[], $12::timestamptz[], $13::bytea[],
$14::timestamptz[]) AS given ({COLUMNS})
"""
TAKE = f"INSERT INTO checkout ({COLUMNS}) SELECT * FROM {GIVEN} ORDER BY 1 ON CONFLICT DO NOTHING RETURNING event_id"
LOCK = f"SELECT {COLUMNS} FROM checkout WHERE event_id = ANY($1::uuid[]) ORDER BY event_id FOR UPDATE"
SAVE = f"""
UPDATE checkout SET fate = given.fate, reason = given.reason, fingerprint = given.fingerprint,
    identity_digest = given.identity_digest, member_id = given.member_id, original_id = given.original_id,
    duplicates = given.duplicates, outcomes = given.outcomes, source = given.source,
    occurred_at = given.occurred_at, recorded_at = given.recorded_at, sealed_body = given.sealed_body,
    waits_until = given.waits_until
FROM {GIVEN} WHERE checkout.event_id = given.event_id
"""
SET_ASIDE = """
INSERT INTO conflict (event_id, fingerprint, identity_digest, reason, recorded_at, sealed_body)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (event_id, fingerprint, identity_digest) DO UPDATE SET times = conflict.times + 1
"""


class PostgresBooks:
    """Takes row locks in the order that all who write here keep: identities, then event ids, each sorted."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def share_owners(self, digests: Collection[bytes]) -> Mapping[bytes, MemberId]:
        if not digests:
            return {}
        driver, given = await self._uow.driver(), sorted(digests)
        await driver.execute(PLACE_IDENTITIES, given)
        rows = await driver.fetch(SHARE_OWNERS, given)
        return {digest: MemberId(member_id) for digest, member_id in rows if member_id is not None}

    async def take(self, entries: Sequence[Entry]) -> Collection[EventId]:
        if not entries:
            return set()
        driver = await self._uow.driver()
        return {row[0] for row in await driver.fetch(TAKE, *_columns(entries))}

    async def lock(self, event_ids: Collection[EventId]) -> Mapping[EventId, Entry]:
        if not event_ids:
            return {}
        driver = await self._uow.driver()
        entries = [entry_of(row) for row in await driver.fetch(LOCK, sorted(event_ids))]
        return {entry.event_id: entry for entry in entries}

    async def save(self, entries: Sequence[Entry]) -> None:
        if entries:
            driver = await self._uow.driver()
            await driver.execute(SAVE, *_columns(entries))

    async def add_purchases(self, rows: Sequence[PurchaseRow]) -> None:
        values = [(row.member_id, row.event_id, row.recorded_at, row.body) for row in rows]
        await self._copy("purchase", ("member_id", "event_id", "recorded_at", "body"), values)
        await self._uow.add_outbox(OutboxRow(PURCHASES_TOPIC, str(row.member_id), str(row.event_id)) for row in rows)

    async def add_outcomes(self, rows: Sequence[OutcomeRow]) -> None:
        values = [(row.event_id, row.outcome_seq, row.recorded_at, row.body) for row in rows]
        await self._copy("outcome", ("event_id", "outcome_seq", "recorded_at", "body"), values)
        await self._uow.add_outbox(OutboxRow(OUTCOMES_TOPIC, str(row.event_id), str(row.outcome_seq)) for row in rows)

    async def add_conflicts(self, rows: Sequence[ConflictRow]) -> None:
        if rows:
            driver = await self._uow.driver()
            # One by one: two equal conflicts of one batch cannot be counted by a single statement.
            await driver.executemany(SET_ASIDE, [_set_aside(row) for row in rows])

    async def _copy(self, table: str, columns: tuple[str, ...], values: Sequence[tuple[Any, ...]]) -> None:
        if values:
            driver = await self._uow.driver()
            await driver.copy_records_to_table(table, records=values, columns=columns)


def entry_of(row: Any) -> Entry:
    return Entry(
        event_id=EventId(row["event_id"]),
        standing=_standing(row),
        source=row["source"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        sealed=row["sealed_body"],
    )


def _standing(row: Any) -> Standing | None:
    if row["fate"] is None:
        return None
    return Standing(
        fate=Fate(row["fate"]),
        reason=None if row["reason"] is None else Reason(row["reason"]),
        fingerprint=row["fingerprint"],
        identity=row["identity_digest"],
        member_id=row["member_id"],
        original_id=row["original_id"],
        duplicates=row["duplicates"],
        outcomes=row["outcomes"],
        waits_until=row["waits_until"],
    )


def _columns(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    return list(zip(*map(_values, entries), strict=True))


def _values(entry: Entry) -> tuple[Any, ...]:
    standing = entry.standing
    if standing is None:
        return (entry.event_id, None, None, None, None, None, None, 0, 0, None, None, None, None, None)
    return (
        entry.event_id,
        standing.fate,
        standing.reason,
        standing.fingerprint,
        standing.identity,
        standing.member_id,
        standing.original_id,
        standing.duplicates,
        standing.outcomes,
        entry.source,
        entry.occurred_at,
        entry.recorded_at,
        entry.sealed,
        standing.waits_until,
    )


def _set_aside(row: ConflictRow) -> tuple[Any, ...]:
    return (row.event_id, row.fingerprint, row.identity or b"", row.reason, row.recorded_at, row.sealed)
