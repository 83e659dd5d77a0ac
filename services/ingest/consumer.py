"""The topics that the door reads, each as a handler of the loop."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from schemas.members import MemberState
from services.ingest.application.admitting import Moment, admit
from services.ingest.application.claiming import register
from services.ingest.application.ports import Books, Register, Returns, Submission
from services.ingest.application.refusals import Fault, Unreadable
from services.ingest.domain.identity import EventId, MemberId
from services.ingest.domain.ownership import MemberIdentities
from services.ingest.domain.programme import ProgrammeVersion, currency_at, waits_until
from services.runtime.errors import InvalidMessage
from services.runtime.ports import Clock, Record
from services.runtime.postgres.unit_of_work import UnitOfWork

TOMBSTONE_VERSION = 2**63 - 1
"""A member that was taken out of the topic has no later state."""

WITH_IDENTITIES = frozenset({"active", "blocked"})


class CheckoutReader(Protocol):
    def __call__(self, headers: Mapping[str, str], value: bytes | None) -> Submission:
        """Raises Unreadable."""
        ...


class ConfirmedProgramme(Protocol):
    async def confirmed(self, uow: UnitOfWork) -> Sequence[ProgrammeVersion]: ...


BooksOf = Callable[[UnitOfWork], Books]
RegisterOf = Callable[[UnitOfWork], Register]
ReturnsOf = Callable[[UnitOfWork], Returns]
Tally = Callable[[Counter[str]], None]


class CheckoutHandler:
    """`checkouts`: what tills say, decided once a programme is known."""

    def __init__(
        self,
        *,
        read: CheckoutReader,
        books: BooksOf,
        returns: ReturnsOf,
        programme: ConfirmedProgramme,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._read = read
        self._books = books
        self._returns = returns
        self._programme = programme
        self._clock = clock
        self._tally = tally

    def decode(self, record: Record[bytes | None]) -> Submission:
        try:
            return self._read(record.headers, record.value)
        except Unreadable as refusal:
            raise _dead_letter(refusal.faults, refusal.event_id) from None

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[Submission]]) -> None:
        # Before anything is locked: while no programme is known the batch waits and holds nobody up.
        versions = await self._programme.confirmed(uow)
        for record in records:
            _refuse_other_currency(record, versions)
        now, submissions = self._clock(), [record.value for record in records]
        moment = Moment(now, waits_until(versions, now))
        self._tally(await admit(self._books(uow), self._returns(uow), submissions, moment))


class MemberHandler:
    """`members`: who has which identity. A tombstone takes all of them away."""

    def __init__(
        self,
        *,
        books: BooksOf,
        register: RegisterOf,
        returns: ReturnsOf,
        digest_of_id: Callable[[MemberId], bytes],
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._books = books
        self._register = register
        self._returns = returns
        self._digest_of_id = digest_of_id
        self._clock = clock
        self._tally = tally

    def decode(self, record: Record[bytes | None]) -> MemberIdentities:
        if record.value is None:
            return _gone(record)
        state = MemberState.model_validate_json(record.value)
        member_id = MemberId(UUID(state.member_id))
        digests: frozenset[bytes] = frozenset()
        if state.status in WITH_IDENTITIES:
            listed = {bytes.fromhex(identity.digest) for identity in state.identities}
            digests = frozenset({*listed, self._digest_of_id(member_id)})
        return MemberIdentities(member_id, state.version, state.status, state.recorded_at, digests)

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[MemberIdentities]]) -> None:
        states = [record.value for record in records]
        tables = self._books(uow), self._register(uow), self._returns(uow)
        claimed = await register(*tables, states, self._clock())
        self._tally(Counter(claimed_by_registration=claimed))


def _gone(record: Record[bytes | None]) -> MemberIdentities:
    member_id = MemberId(UUID(record.key or ""))
    return MemberIdentities(member_id, TOMBSTONE_VERSION, "erased", record.appended_at, frozenset())


def _refuse_other_currency(record: Record[Submission], versions: Sequence[ProgrammeVersion]) -> None:
    submission = record.value
    currency = currency_at(versions, submission.occurred_at)
    if currency not in (None, submission.currency):
        fault = Fault("/currency", "currency_mismatch", f"the programme in force counts in {currency}")
        raise _dead_letter([fault], submission.arrival.event_id, record)


def _dead_letter(
    faults: Sequence[Fault], event_id: EventId | None, record: Record[Submission] | None = None
) -> InvalidMessage:
    first = faults[0]
    # Words and pointers only: a dead letter's detail is kept in the clear, what was sent is sealed.
    detail = "; ".join(f"{fault.pointer or '/'} {fault.code}: {fault.detail}" for fault in faults)
    event_ref = None if event_id is None else str(event_id)
    return InvalidMessage(first.code, detail, first.pointer, record=record, event_ref=event_ref)
