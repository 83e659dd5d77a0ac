"""What a person decides about records that were set aside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import text

from services.ops.operator_actions import note_action
from services.ops.session import database, settings
from services.ops.set_aside import HIDDEN, shown_key
from services.ops.topic_table import consumed_topics
from services.runtime.errors import NotReady
from services.runtime.kafka.checkpoints import PartitionId
from services.runtime.kafka.parking import CannotPark, ParkedKey, park_key
from services.runtime.kafka.reader import begin_offsets, read_topic
from services.runtime.kafka.redrive import Redriver, Refusal, Release
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import Database

WITHOUT_KEY = "has no key, so nothing can be parked: mend what stops there, or leave it out for good with"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a service's open dead letters, and whether parked keys as well."""

    ids: Sequence[int] = ()
    code: str | None = None
    key: str | None = None
    everything: bool = False

    @property
    def takes_parked_keys(self) -> bool:
        return self.everything or self.key is not None

    def __str__(self) -> str:
        if self.ids:
            return "ids " + " ".join(map(str, self.ids))
        return "everything" if self.everything else f"code {self.code}" if self.code else f"key {self.key}"


@dataclass(slots=True)
class Redriven:
    """`refused` are those that stay as they are, by id, and why; `later`: the rest was not tried, for this cause."""

    redriven: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    parked_keys: list[Release] = field(default_factory=list)
    later: str | None = None

    @property
    def is_clean(self) -> bool:
        return not (self.refused or self.later or any(each.refusal for each in self.parked_keys))

    @property
    def is_empty(self) -> bool:
        return not (self.redriven or self.refused or self.parked_keys or self.later)


async def redrive(service: str, chosen: Selection, by: str, progress: Callable[[int, int], None]) -> Redriven:
    """Each dead letter by itself; each parked key in its order."""
    from services.ops.acting_service import acting_as

    async with database(service) as opened:
        async with opened.begin() as uow:
            await note_action(uow, operator=by, action="redrive", subject=service, why=str(_nameless(chosen, service)))
        letters = chosen.ids or await _open_letters(opened, chosen)
        keys = await _parked_keys(opened, service, chosen)
    done = Redriven()
    async with acting_as(service) as acting:
        await acting.check_topics_not_ahead()
        make = acting.definition.handlers
        redriver = Redriver(
            service=service,
            database=acting.context.database,
            handlers=make(acting.context) if make else {},
            seal=acting.context.seal,
            by=by,
        )
        for number, letter_id in enumerate(letters, 1):
            _book(done, letter_id, await redriver.letter(letter_id))
            progress(number, len(letters) + len(keys))
            if done.later:
                return done
        for number, (topic, key) in enumerate(keys, 1):
            release = await redriver.key(topic, key)
            done.parked_keys.append(release)
            progress(len(letters) + number, len(letters) + len(keys))
            if release.refusal and release.refusal.later:
                done.later = release.refusal.cause
                return done
    return done


async def discard(service: str, ids: Sequence[int], by: str, why: str) -> list[int]:
    """All of them or, where one is not open, none; answers those that are not."""
    wanted = list(dict.fromkeys(ids))
    async with database(service) as opened, opened.begin() as uow:
        found = set(await uow.connection.scalars(_LOCK_OPEN, {"ids": wanted}))
        missing = [each for each in wanted if each not in found]
        if not missing:
            await uow.connection.execute(_DISCARD, {"ids": wanted, "by": by})
            for each in wanted:
                await note_action(uow, operator=by, action="discard", subject=f"{service}/{each}", why=why)
    return missing


async def park(of: PartitionId, offset: int, by: str) -> ParkedKey:
    """CannotPark says what to do instead."""
    key = (await _record_at(of, offset)).key
    if key is None:
        command = f"loyalty checkpoints move {of.consumer} {of.topic} {of.partition} {offset + 1}"
        raise CannotPark(f"record {offset} of {of.topic}/{of.partition} {WITHOUT_KEY}: {command}")
    async with database(of.consumer) as opened, opened.begin() as uow:
        parked = await park_key(uow, of, key=key, offset=offset, by=by)
        subject = f"{of.consumer}/{of.topic}/{of.partition}/{offset}"
        await note_action(uow, operator=by, action="park", subject=subject)
    return parked


async def _record_at(of: PartitionId, offset: int) -> Record[bytes | None]:
    kafka, here, behind = settings().kafka_settings(), {of.partition: offset}, {of.partition: offset + 1}
    try:
        begin = (await begin_offsets(kafka, of.topic)).get(of.partition, offset)
        batches = read_topic(kafka, of.topic, from_offsets=here if begin <= offset else behind, to_offsets=behind)
        found = [record async for records in batches for record in records]
    except NotReady as missing:
        raise CannotPark(missing.reason) from None
    if not found:
        raise CannotPark(f"{of.topic}/{of.partition} holds no record {offset}: `loyalty lag` names the one that stops")
    return found[0]


def _book(done: Redriven, letter_id: int, refusal: Refusal | None) -> None:
    if refusal is None:
        done.redriven.append(letter_id)
    elif refusal.later:
        done.later = refusal.cause
    else:
        done.refused[letter_id] = refusal.cause


def _nameless(chosen: Selection, service: str) -> Selection:
    is_hidden = any(shown_key(topic, chosen.key) == HIDDEN for topic in consumed_topics((service,)))
    return replace(chosen, key=HIDDEN) if is_hidden else chosen


async def _open_letters(opened: Database, chosen: Selection) -> list[int]:
    async with opened.read() as connection:
        return list(await connection.scalars(_OPEN_LETTERS, {"code": chosen.code, "key": chosen.key}))


async def _parked_keys(opened: Database, service: str, chosen: Selection) -> list[tuple[str, str]]:
    if not chosen.takes_parked_keys:
        return []
    async with opened.read() as connection:
        rows = await connection.execute(_PARKED_KEYS, {"consumer": service, "key": chosen.key})
        return [(row.topic, row.key) for row in rows]


_OPEN_LETTERS = text("""
    SELECT id FROM dead_letter
    WHERE state = 'open' AND code = coalesce(:code, code) AND (CAST(:key AS text) IS NULL OR key = :key) ORDER BY id
""")
_PARKED_KEYS = text("""
    SELECT topic, key FROM parked_key WHERE consumer = :consumer AND key = coalesce(:key, key) ORDER BY topic, parked_at
""")
_LOCK_OPEN = text("SELECT id FROM dead_letter WHERE id = ANY (:ids) AND state = 'open' ORDER BY id FOR UPDATE")
_DISCARD = text("""
    UPDATE dead_letter SET state = 'discarded', decided_by = :by, decided_at = clock_timestamp(), sealed = NULL
    WHERE id = ANY (:ids)
""")
