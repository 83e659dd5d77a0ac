"""Letting checkouts in: each counted once, whatever is sent twice, in parallel or out of order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.ingest.application.ports import (
    Books,
    ConflictRow,
    Entry,
    OutcomeRow,
    PurchaseRow,
    Returns,
    Submission,
    Told,
)
from services.ingest.application.releasing import release
from services.ingest.domain.admission import (
    Accepted,
    Claimed,
    ClaimedBy,
    Conflict,
    Decision,
    Duplicate,
    Fate,
    Ignored,
    Kind,
    Reason,
    Released,
    Standing,
    decide,
    remember,
)
from services.ingest.domain.identity import EventId, MemberId

Owners = Mapping[bytes, MemberId]
Standings = Mapping[EventId, Standing | None]
Groups = dict[EventId, list[Submission]]
_BODY_KEPT = frozenset({Fate.UNCLAIMED, Fate.WAITING, Fate.REVIEW})


@dataclass(frozen=True, slots=True)
class Moment:
    """When the door records something, and until when what begins to wait then will wait; None = for ever."""

    recorded_at: datetime
    waits_until: datetime | None = None


async def admit(books: Books, returns: Returns, submissions: Sequence[Submission], moment: Moment) -> Counter[str]:
    """Decides the submissions, each id's in their order; answers how many met which decision."""
    # Identities before event ids, always: a registration locks them in the same order, so neither waits in a circle.
    owners = await books.share_owners(_identities(submissions))
    sales, backs = _groups(submissions)
    # Most ids are new: decide as if all were, and again for the few that turn out to be known.
    settled = {each: _settle(Entry(each, None), group, owners, {}, moment) for each, group in sales.items()}
    entries = {each: it.entry for each, it in settled.items()}
    # A return and its sale must meet whichever comes first, so the sale's id is taken hold of as well.
    entries |= {each: Entry(each, None) for each in _originals(submissions).union(backs) if each not in sales}
    fresh = await books.take(list(entries.values()))
    known = await books.lock(entries.keys() - fresh)
    redone = {each: _settle(entry, sales[each], owners, {}, moment) for each, entry in known.items() if each in sales}
    settled |= redone
    standings = {each: entry.standing for each, entry in known.items()}
    standings |= {each: it.entry.standing for each, it in settled.items()}
    for each, group in backs.items():
        settled[each] = _settle(known.get(each, Entry(each, None)), group, owners, standings, moment)
        standings[each] = settled[each].entry.standing
    await books.save([settled[each].entry for each in (*redone, *backs)])
    met = await _file(books, settled.values())
    # Nothing can wait for an id that nobody had heard of.
    accepted = _newly_accepted({each: it for each, it in settled.items() if each in known}, known)
    met["released"] += await release(books, returns, accepted, moment.recorded_at)
    return +met


@dataclass(slots=True)
class _Settled:
    """What the submissions of one id come to: the entry after them, and what is to be filed."""

    entry: Entry
    purchases: list[PurchaseRow] = field(default_factory=list)
    outcomes: list[OutcomeRow] = field(default_factory=list)
    conflicts: list[ConflictRow] = field(default_factory=list)
    met: list[str] = field(default_factory=list)


def _groups(submissions: Iterable[Submission]) -> tuple[Groups, Groups]:
    """By id: the sales, then what comes back, returns before voids, which may speak of them."""
    sales: Groups = {}
    returns: Groups = {}
    voids: Groups = {}
    kinds = {Kind.SALE: sales, Kind.RETURN: returns, Kind.VOID: voids}
    for submission in submissions:
        kinds[submission.arrival.kind].setdefault(submission.arrival.event_id, []).append(submission)
    return sales, returns | voids


def _newly_accepted(settled: Mapping[EventId, _Settled], known: Mapping[EventId, Entry]) -> Mapping[EventId, MemberId]:
    accepted: dict[EventId, MemberId] = {}
    for each, it in settled.items():
        before, after = known[each].standing, it.entry.standing
        if after is not None and after.member_id is not None and (before is None or before.member_id is None):
            accepted[each] = after.member_id
    return accepted


def _settle(
    entry: Entry, group: Sequence[Submission], owners: Owners, originals: Standings, moment: Moment
) -> _Settled:
    settled = _Settled(entry)
    for submission in group:
        identity, original_id = submission.arrival.identity, submission.arrival.original_id
        owner = None if identity is None else owners.get(identity)
        original = None if original_id is None else originals.get(original_id)
        decision = decide(settled.entry.standing, submission.arrival, owner, original, moment.recorded_at)
        settled.met.append(type(decision).__name__.lower())
        _apply(settled, submission, decision, moment)
    return settled


def _apply(settled: _Settled, submission: Submission, decision: Decision, moment: Moment) -> None:
    entry, recorded_at = settled.entry, moment.recorded_at
    standing = remember(entry.standing, submission.arrival, decision, moment.waits_until)
    settled.entry = replace(entry, standing=standing)
    match decision:
        case Duplicate():
            return
        case Conflict(reason):
            settled.conflicts.append(_conflict(entry.event_id, submission, reason, recorded_at))
        case Claimed(member_id=member_id, claimed_by=claimed_by) if member_id is not None:
            settled.entry = replace(settled.entry, sealed=None)
            settled.purchases.append(_purchase(entry.event_id, submission, member_id, claimed_by, recorded_at))
        case Released(member_id):
            settled.entry = replace(settled.entry, sealed=None)
            settled.purchases.append(_purchase(entry.event_id, submission, member_id, ClaimedBy.TILL, recorded_at))
        case Accepted(member_id):
            settled.entry = Entry(entry.event_id, standing, submission.source, submission.occurred_at, recorded_at)
            settled.purchases.append(_purchase(entry.event_id, submission, member_id, ClaimedBy.TILL, recorded_at))
        case Claimed():
            _tell(settled, submission, standing.fate, standing.reason, recorded_at)
        case Ignored(reason):
            sealed = _tell(settled, submission, Fate.IGNORED, reason, recorded_at)
            if standing.fate is Fate.IGNORED:
                settled.entry = _opened(settled.entry, submission, recorded_at, sealed)
        case _:
            sealed = _tell(settled, submission, standing.fate, standing.reason, recorded_at)
            settled.entry = _opened(settled.entry, submission, recorded_at, sealed)


def _opened(entry: Entry, submission: Submission, recorded_at: datetime, sealed: bytes) -> Entry:
    assert entry.standing is not None
    body = sealed if entry.standing.fate in _BODY_KEPT else None
    return Entry(entry.event_id, entry.standing, submission.source, submission.occurred_at, recorded_at, body)


def _tell(settled: _Settled, submission: Submission, fate: Fate, reason: Reason | None, recorded_at: datetime) -> bytes:
    event_id, standing, sealed = settled.entry.event_id, settled.entry.standing, submission.paper.sealed()
    assert standing is not None
    waits_until = standing.waits_until if fate is standing.fate else None
    told = Told(standing.outcomes, fate, reason, recorded_at, waits_until)
    settled.outcomes.append(
        OutcomeRow(event_id, standing.outcomes, recorded_at, submission.paper.as_outcome(told, sealed))
    )
    return sealed


def _conflict(event_id: EventId, submission: Submission, reason: Reason, recorded_at: datetime) -> ConflictRow:
    arrival = submission.arrival
    sealed = submission.paper.sealed()
    return ConflictRow(event_id, reason, arrival.fingerprint, arrival.identity, recorded_at, sealed)


def _purchase(
    event_id: EventId, submission: Submission, member_id: MemberId, claimed_by: ClaimedBy, recorded_at: datetime
) -> PurchaseRow:
    body = submission.paper.as_purchase(member_id, claimed_by, recorded_at)
    return PurchaseRow(event_id, member_id, recorded_at, body)


def _identities(submissions: Iterable[Submission]) -> set[bytes]:
    return {each.arrival.identity for each in submissions if each.arrival.identity is not None}


def _originals(submissions: Iterable[Submission]) -> set[EventId]:
    return {each.arrival.original_id for each in submissions if each.arrival.original_id is not None}


async def _file(books: Books, settled: Iterable[_Settled]) -> Counter[str]:
    purchases: list[PurchaseRow] = []
    outcomes: list[OutcomeRow] = []
    conflicts: list[ConflictRow] = []
    met: Counter[str] = Counter()
    for each in settled:
        purchases += each.purchases
        outcomes += each.outcomes
        conflicts += each.conflicts
        met.update(each.met)
    await books.add_purchases(purchases)
    await books.add_outcomes(outcomes)
    await books.add_conflicts(conflicts)
    return met
