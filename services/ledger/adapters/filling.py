"""The books made again from topic `points`, whether they are empty or an old backup."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import text

from services.ledger.adapters import canonical
from services.ledger.adapters.books import POINTS_TOPIC, PostgresBooks
from services.ledger.adapters.closing import (
    check_can_be_filled,
    check_owner,
    check_schema,
    close_books,
    input_beginnings,
    only_rebuild,
    open_books,
)
from services.ledger.adapters.mending import write_accounts
from services.ledger.adapters.publication import SOURCE
from services.ledger.adapters.replaying import live_fingerprints, published_fact
from services.ledger.adapters.statuses import PostgresStatuses
from services.ledger.adapters.stocks import refold_stock
from services.ledger.adapters.streams import Progress, StoredEntry, no_progress
from services.ledger.application.recording import Entry, entry_of
from services.ledger.application.replay import (
    Comparison,
    Fingerprint,
    MemberFold,
    StreamError,
    compare,
    fingerprint_of,
)
from services.ledger.domain.ids import MemberId
from services.runtime.errors import HaltError
from services.runtime.kafka.handler import Handler
from services.runtime.kafka.reader import end_offsets, read_topic
from services.runtime.kafka.relay import fence_relays
from services.runtime.kafka.rereading import read_through
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Clock, OutboxRow, Record
from services.runtime.postgres.unit_of_work import Database, UnitOfWork

MEMBERS_A_BATCH = 1_000
STORED = """
SELECT e.member_id::text, e.member_seq, sha256(e.fact), e.hash
FROM unnest($1::uuid[], $2::bigint[]) AS told (member_id, member_seq)
JOIN entry e ON e.member_id = told.member_id AND e.member_seq = told.member_seq
"""
UNPUBLISHED = """
SELECT e.member_id::text, e.member_seq, e.fact, e.hash,
       EXISTS (SELECT FROM outbox o WHERE o.topic = $3 AND o.key = e.member_id::text AND o.ref = e.member_seq::text)
FROM unnest($1::uuid[], $2::bigint[]) AS told (member_id, member_seq)
JOIN entry e ON e.member_id = told.member_id AND e.member_seq > told.member_seq
ORDER BY e.member_id, e.member_seq
"""
DROP_PUBLISHED = """
DELETE FROM outbox o USING unnest($1::text[], $2::bigint[]) AS told (member_id, member_seq)
WHERE o.topic = $3 AND o.key = told.member_id AND substring(o.ref from '[0-9]+$')::bigint <= told.member_seq
"""
DROP_WAITING = "DELETE FROM outbox WHERE topic = $1 AND key = ANY ($2::text[])"
IN_THE_BOOKS = text("""
SELECT member_id::text FROM account WHERE member_seq > 0 UNION SELECT key FROM outbox WHERE topic = :topic
""")
PATIENT = text("SET LOCAL statement_timeout = 0")


@dataclass(frozen=True, slots=True)
class Filled:
    """`added` facts were missing, `unpublished` ones the topic lacks and will get from the relay; while the two digests
    differ, the books stay closed."""

    added: int
    unpublished: int
    comparison: Comparison


async def fill_from_topic(
    database: Database,
    kafka: KafkaSettings,
    kept: Mapping[str, Handler[Any]],
    *,
    clock: Clock,
    relay_shards: int = 1,
    progress: Progress = no_progress,
) -> Filled:
    """Brings books that are behind their topic level with it; `database` is open as the owner of the tables.

    `kept` handles the topics that every decision rests on beside the facts. HaltError where it must not begin, with
    nothing changed, or where another relay still publishes; StreamError where topic and books tell different
    histories. Interrupted, it goes on from what is committed when it is called again.
    """
    await check_schema(database)
    await check_owner(database)
    async with only_rebuild(database):
        await check_can_be_filled(database, kafka)
        await database.run(close_books)
        await fence_relays(kafka, SOURCE, relay_shards)
        ends = await end_offsets(kafka, POINTS_TOPIC)
        filling = _Filling(database, kafka, ends, progress)
        for partition in sorted(ends):
            await filling.fill_partition(partition)
        await filling.keep_unpublished()
        await _read_kept_topics(database, kafka, kept, clock)
        await _refuse_another_writer(kafka, ends)
        comparison = await filling.compared()
        if comparison.equal:
            await _open(database, kafka)
        return Filled(filling.added, filling.unpublished, comparison)


class _Filling:
    """Holds the folds of one partition at a time; of the members behind it only their fingerprints."""

    def __init__(self, database: Database, kafka: KafkaSettings, ends: Mapping[int, int], progress: Progress) -> None:
        self._database = database
        self._kafka = kafka
        self._ends = ends
        self._progress = progress
        self._read = 0
        self._facts = 0
        self._folds: dict[MemberId, MemberFold] = {}
        self._rebuilt: dict[MemberId, Fingerprint] = {}
        self.added = 0
        self.unpublished = 0

    async def fill_partition(self, partition: int) -> None:
        end = self._ends[partition]
        async for records in read_topic(self._kafka, POINTS_TOPIC, to_offsets={partition: end}):
            await self._add(self._fold(records))
            self._tell(self._read + records[-1].offset + 1)
            await asyncio.sleep(0)
        await self._keep_accounts()
        self._read += end
        self._tell(self._read)

    async def keep_unpublished(self) -> None:
        """Members of whom the topic knows nothing yet, or no more."""
        async with self._database.read() as connection:
            known = list(await connection.scalars(IN_THE_BOOKS, {"topic": POINTS_TOPIC}))
        members = [MemberId(member) for member in known if member not in self._rebuilt]
        self._folds = {member: MemberFold.empty(member) for member in members}
        await self._keep_accounts()

    async def compared(self) -> Comparison:
        """The live books, as they are now, against what was folded."""
        async with self._database.read(snapshot=True) as connection:
            await connection.execute(PATIENT)
            live = await live_fingerprints(connection)
        return compare(live, self._rebuilt, facts=self._facts)

    def _tell(self, done: int) -> None:
        """In offsets, markers among them: how many facts there are is not known before they are read."""
        self._progress(done, sum(self._ends.values()))

    def _fold(self, records: Sequence[Record[bytes | None]]) -> list[Entry]:
        entries = []
        for record in records:
            published = published_fact(record)
            fold = self._folds.get(published.member_id)
            if fold is None:
                fold = self._folds[published.member_id] = MemberFold.empty(published.member_id)
            # A relay killed between commit and delete sends one batch twice; the first copy was folded.
            if published.member_seq > fold.state.member_seq:
                fact = fold.add(canonical, published.encoded, published.hash)
                entries.append(
                    entry_of(published.member_id, published.member_seq, fact, published.encoded, published.hash)
                )
        self._facts += len(entries)
        return entries

    async def _add(self, entries: Sequence[Entry]) -> None:
        async def work(uow: UnitOfWork) -> int:
            stored = await _stored(uow, entries)
            missing = [entry for entry in entries if (entry.member_id, entry.member_seq) not in stored]
            await PostgresBooks(uow).insert_entries(missing)
            return len(missing)

        if entries:
            self.added += await self._database.run(work)

    async def _keep_accounts(self) -> None:
        all_of_them = list(self._folds.values())
        for start in range(0, len(all_of_them), MEMBERS_A_BATCH):
            chunk = all_of_them[start : start + MEMBERS_A_BATCH]
            await self._database.run(partial(_drop_published, chunk))
            self._go_on(await self._database.run(partial(_unpublished, chunk)))
            # An account without a single fact is nobody's fold: the comparison will name it.
            folds = [fold for fold in chunk if fold.state.member_seq]
            await self._database.run(partial(_write_accounts, folds))
            self._rebuilt |= {MemberId(fold.state.member_id): fingerprint_of(canonical, fold) for fold in folds}
        self._folds = {}

    def _go_on(self, unpublished: Sequence[StoredEntry]) -> None:
        for entry in unpublished:
            self._folds[entry.member_id].add(canonical, entry.encoded, entry.hash)
        self.unpublished += len(unpublished)
        self._facts += len(unpublished)


async def _stored(uow: UnitOfWork, entries: Sequence[Entry]) -> set[tuple[MemberId, int]]:
    """Which of the entries the books hold; StreamError for one that is another fact there."""
    told = {(entry.member_id, entry.member_seq): entry for entry in entries}
    rows = await (await uow.driver()).fetch(STORED, *zip(*told, strict=True))
    for member_id, member_seq, fact_hash, link in rows:
        entry = told[member_id, member_seq]
        if (fact_hash, link) != (sha256(entry.fact).digest(), entry.hash):
            raise StreamError(member_id, member_seq, "the books hold another fact than the topic: two histories")
    return {(MemberId(member_id), member_seq) for member_id, member_seq, *_ in rows}


async def _drop_published(folds: Sequence[MemberFold], uow: UnitOfWork) -> None:
    """What an old backup was about to publish, and has published since."""
    await (await uow.driver()).execute(DROP_PUBLISHED, *_heads(folds), POINTS_TOPIC)


async def _unpublished(folds: Sequence[MemberFold], uow: UnitOfWork) -> list[StoredEntry]:
    """What the books hold behind the topic's last fact: all of it waits for the relay afterwards, in its order."""
    rows = await (await uow.driver()).fetch(UNPUBLISHED, *_heads(folds), POINTS_TOPIC)
    # Published once and lost with the end of the topic.
    forgotten = {row[0] for row in rows if not row[4]}
    if forgotten:
        await (await uow.driver()).execute(DROP_WAITING, POINTS_TOPIC, sorted(forgotten))
        await uow.add_outbox(OutboxRow(POINTS_TOPIC, row[0], str(row[1])) for row in rows if row[0] in forgotten)
    return [StoredEntry(*row[:4]) for row in rows]


async def _write_accounts(folds: Sequence[MemberFold], uow: UnitOfWork) -> None:
    await write_accounts(uow, folds)


def _heads(folds: Sequence[MemberFold]) -> tuple[list[MemberId], list[int]]:
    return [fold.state.member_id for fold in folds], [fold.state.member_seq for fold in folds]


async def _read_kept_topics(
    database: Database, kafka: KafkaSettings, kept: Mapping[str, Handler[Any]], clock: Clock
) -> None:
    await database.run(lambda uow: PostgresStatuses(uow).forget_all())
    for topic, handler in kept.items():
        await read_through(kafka, database, topic, handler, clock)


async def _refuse_another_writer(kafka: KafkaSettings, ends: Mapping[int, int]) -> None:
    if await end_offsets(kafka, POINTS_TOPIC) != ends:
        raise HaltError(
            f"topic `{POINTS_TOPIC}` grew while it was read",
            "a relay of the ledger still publishes, perhaps from another database: stop it, then begin again",
        )


async def _open(database: Database, kafka: KafkaSettings) -> None:
    beginnings = await input_beginnings(database, kafka)

    async def work(uow: UnitOfWork) -> None:
        await uow.connection.execute(PATIENT)
        await refold_stock(uow)
        await open_books(uow, beginnings)

    await database.run(work)
