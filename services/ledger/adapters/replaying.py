"""Where replay reads: the live books in one snapshot, the topic `points`, and the entries themselves."""

import asyncio
from collections.abc import Mapping
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ledger.adapters import canonical
from services.ledger.adapters.books import POINTS_TOPIC
from services.ledger.adapters.streams import (
    FETCH_ROWS,
    Progress,
    StoredEntry,
    entry_count,
    no_progress,
    stored_entries,
)
from services.ledger.application.replay import Comparison, Fingerprint, MemberFold, compare, fingerprint_of
from services.ledger.domain.ids import MemberId
from services.runtime.kafka.reader import begin_offsets, end_offsets, read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import Database

HEADS = text("SELECT member_id::text, member_seq, chain_head, state FROM account WHERE member_seq > 0")
OUTBOX_HIGH = text("SELECT coalesce(max(id), 0) FROM outbox")
OUTBOX_LOW = text("SELECT min(id) FROM outbox")

RELAY_WAIT_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1


class TopicIncompleteError(Exception):
    """The topic cannot be compared: it lacks facts that the books hold; says which and what to do."""


async def compare_with_topic(database: Database, kafka: KafkaSettings, progress: Progress = no_progress) -> Comparison:
    """Folds topic `points`, each member exactly to its live number; changes nothing and runs beside live traffic."""
    await _refuse_a_truncated_topic(kafka)
    # What was published before the snapshot must be in it: a fact of a lost account is no later one.
    ends = await end_offsets(kafka, POINTS_TOPIC)
    async with database.read(snapshot=True) as connection:
        live = await live_fingerprints(connection)
        published_up_to = (await connection.execute(OUTBOX_HIGH)).scalar_one()
    await _relayed(database, published_up_to)
    total = sum(member.member_seq for member in live.values())
    folds: dict[MemberId, MemberFold] = {}
    facts = 0
    async for records in read_topic(kafka, POINTS_TOPIC):
        for record in records:
            fact = published_fact(record)
            if record.offset < ends.get(record.partition, 0) or _is_live(live, fact):
                facts += _fold_next(folds, fact)
        progress(facts, total)
        await asyncio.sleep(0)
    return compare(live, _fingerprints(folds), facts=facts)


async def compare_with_entries(database: Database, progress: Progress = no_progress) -> Comparison:
    """Folds the stored entries instead of the topic: the same proof where only the database is at hand."""
    async with database.read(snapshot=True) as connection:
        live = await live_fingerprints(connection)
        folds: dict[MemberId, MemberFold] = {}
        facts = 0
        total = await entry_count(connection)
        async for fact in stored_entries(connection):
            facts += _fold_next(folds, fact)
            if facts % FETCH_ROWS == 0:
                progress(facts, total)
        progress(facts, total)
    return compare(live, _fingerprints(folds), facts=facts)


async def live_fingerprints(connection: AsyncConnection) -> dict[MemberId, Fingerprint]:
    """Number, head and account hash of every account, as the connection's snapshot shows them."""
    rows = await connection.execute(HEADS)
    return {
        MemberId(member): Fingerprint(seq, bytes(head), sha256(bytes(state)).digest())
        for member, seq, head, state in rows
    }


def published_fact(record: Record[bytes | None]) -> StoredEntry:
    number, entry_hash = int(record.headers["member_seq"]), bytes.fromhex(record.headers["hash"])
    return StoredEntry(MemberId(record.key or ""), number, record.value or b"", entry_hash)


def _is_live(live: Mapping[MemberId, Fingerprint], fact: StoredEntry) -> bool:
    member = live.get(fact.member_id)
    return member is not None and fact.member_seq <= member.member_seq


def _fold_next(folds: dict[MemberId, MemberFold], fact: StoredEntry) -> int:
    fold = folds.get(fact.member_id)
    if fold is None:
        fold = folds[fact.member_id] = MemberFold.empty(fact.member_id)
    if fact.member_seq <= fold.state.member_seq:
        # A relay killed between commit and delete sends one batch twice; the first copy was folded.
        return 0
    fold.add(canonical, fact.encoded, fact.hash)
    return 1


def _fingerprints(folds: Mapping[MemberId, MemberFold]) -> dict[MemberId, Fingerprint]:
    return {member_id: fingerprint_of(canonical, fold) for member_id, fold in folds.items()}


async def cut_partitions(kafka: KafkaSettings) -> dict[int, int]:
    """The partitions of `points` that no longer begin where the streams begin, with their first offsets."""
    begins = await begin_offsets(kafka, POINTS_TOPIC)
    return {partition: offset for partition, offset in begins.items() if offset > 0}


async def _refuse_a_truncated_topic(kafka: KafkaSettings) -> None:
    if cut := await cut_partitions(kafka):
        raise TopicIncompleteError(
            f"topic `{POINTS_TOPIC}` no longer begins where the streams begin (first offsets {cut}): "
            "compare with --from entries, and check the topic's retention"
        )


async def _relayed(database: Database, up_to: int) -> None:
    """Waits until the relay has published what the snapshot holds."""
    try:
        async with asyncio.timeout(RELAY_WAIT_SECONDS_MAX):
            while True:
                async with database.read() as connection:
                    lowest = (await connection.execute(OUTBOX_LOW)).scalar_one()
                if lowest is None or lowest > up_to:
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise TopicIncompleteError(
            f"the outbox still holds facts of this snapshot after {RELAY_WAIT_SECONDS_MAX:.0f} s: "
            "is the ledger's relay running? `loyalty lag` tells"
        ) from None
