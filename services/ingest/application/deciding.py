"""A conflict ends when a named person decides it: the first checkout stands, or the second is a sale of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.ingest.application.admitting import Moment, admit
from services.ingest.application.ports import Books, ConflictRow, Entry, OutcomeRow, Returns, Submission
from services.ingest.domain.admission import Reason
from services.ingest.domain.identity import EventId, second_id


class Verdict(StrEnum):
    KEPT_FIRST = "kept_first"
    ACCEPTED_SECOND = "accepted_second"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who decided what, and why; `accepted_as` is the second checkout's own id, where it was let in."""

    verdict: Verdict
    by: str
    why: str
    accepted_as: EventId | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    """A conflict as it is kept; without a ruling it is open. A decided one has no body any more."""

    row: ConflictRow
    times: int
    ruling: Ruling | None = None
    decided_at: datetime | None = None


class ConflictUnknown(Exception):
    """No conflict of this checkout has this fingerprint."""


class MembersConflict(Exception):
    """The same sale with another card is no second sale."""


class DecidedOtherwise(Exception):
    """Somebody has decided it before, or did so just now."""


class Conflicts(Protocol):
    """What was set aside, inside one transaction."""

    async def filed(self, event_id: EventId, fingerprint: bytes, *, lock: bool = False) -> Sequence[Filed]:
        """Of one content under one id, decided or not, the oldest first; several where it came with several cards."""
        ...

    async def close(self, conflicts: Sequence[ConflictRow], ruling: Ruling, decided_at: datetime) -> None:
        """Keeps the ruling and drops the bodies."""
        ...


class ConflictPapers(Protocol):
    def second(self, conflict: ConflictRow) -> Submission:
        """What was set aside, as a checkout with an id of its own."""
        ...

    def ruled(self, first: Entry, conflict: ConflictRow, ruling: Ruling, decided_at: datetime) -> bytes:
        """The canonical `outcomes` value that tells the ruling."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """Where conflicts are decided, inside one transaction."""

    books: Books
    returns: Returns
    conflicts: Conflicts
    papers: ConflictPapers

    async def decide(self, event_id: EventId, fingerprint: bytes, ruling: Ruling, moment: Moment) -> Ruling:
        """Decides all that is open of this content; answers the ruling that stands. Repeating a decision is one."""
        filed = await self.conflicts.filed(event_id, fingerprint)
        rows = [each.row for each in filed if each.ruling is None]
        if not rows:
            return _standing(filed, ruling)
        if ruling.verdict is Verdict.ACCEPTED_SECOND:
            ruling = replace(ruling, accepted_as=second_id(event_id, fingerprint))
            await self._let_in(rows, moment)
        # The second's id before the first's, then the conflicts: the consumer takes the latter two in this order.
        first = (await self.books.lock([event_id]))[event_id]
        locked = await self.conflicts.filed(event_id, fingerprint, lock=True)
        if not _open_keys(locked) >= {_key(row) for row in rows}:
            raise DecidedOtherwise("somebody else has just decided it: look again")
        await self._file(first, rows, ruling, moment.recorded_at)
        return ruling

    async def _let_in(self, rows: Sequence[ConflictRow], moment: Moment) -> None:
        if any(row.reason is not Reason.OTHER_CONTENT for row in rows):
            raise MembersConflict("the same sale with another member is no second sale")
        await admit(self.books, self.returns, [self.papers.second(row) for row in rows], moment)

    async def _file(self, first: Entry, rows: Sequence[ConflictRow], ruling: Ruling, now: datetime) -> None:
        outcomes: list[OutcomeRow] = []
        for row in rows:
            assert first.standing is not None, "a conflict is with what was seen before"
            seq = first.standing.outcomes + 1
            first = replace(first, standing=replace(first.standing, outcomes=seq))
            outcomes.append(OutcomeRow(row.event_id, seq, now, self.papers.ruled(first, row, ruling, now)))
        await self.books.save([first])
        await self.books.add_outcomes(outcomes)
        await self.conflicts.close(rows, ruling, now)


def _standing(filed: Sequence[Filed], wanted: Ruling) -> Ruling:
    if not filed:
        raise ConflictUnknown("no conflict of this checkout has this fingerprint")
    last = filed[-1].ruling
    assert last is not None, "none of them is open"
    if last.verdict is not wanted.verdict:
        raise DecidedOtherwise(f"{last.by} has decided it before: {last.verdict}, {last.why}")
    return last


def _open_keys(filed: Sequence[Filed]) -> set[bytes | None]:
    return {_key(each.row) for each in filed if each.ruling is None}


def _key(row: ConflictRow) -> bytes | None:
    return row.identity
