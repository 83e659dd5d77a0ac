"""What the notifier makes of the topics that it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from schemas.members import MemberState
from schemas.tiers import TierChanged
from services.notifier.application.celebrating import keep_members
from services.notifier.application.ports import Agenda, MemberStates, Store
from services.notifier.application.reacting import react_to_tiers
from services.notifier.domain.known_members import BirthdayTold, KnownMember
from services.notifier.domain.messages import MemberId
from services.notifier.domain.planning import TierChange
from services.runtime.ports import Clock, Record
from services.runtime.postgres.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class TiersHandler:
    """Topic `tiers`: plans messages."""

    store: Callable[[UnitOfWork], Store]
    clock: Clock

    def decode(self, record: Record[bytes | None]) -> TierChange:
        assert record.value is not None, "a tier fact is never a tombstone"
        fact = TierChanged.model_validate_json(record.value)
        return TierChange(
            member_id=MemberId(fact.member_id),
            member_seq=fact.member_seq,
            hash=bytes.fromhex(record.headers["hash"]),
            from_tier=fact.from_tier,
            to_tier=fact.to_tier,
            effective_from=fact.effective_from,
            recorded_at=fact.recorded_at,
            valid_until=fact.valid_until,
            retroactive=fact.retroactive,
            restores=fact.reason == "late_purchase",
            ends_period=fact.reason == "period_end",
        )

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[TierChange]]) -> None:
        await react_to_tiers(self.store(uow), [record.value for record in records], now=self.clock())


@dataclass(frozen=True, slots=True)
class MembersHandler:
    """Topic `members`: keeps who is known, nothing that names the person, and what is ahead of them."""

    states: Callable[[UnitOfWork], MemberStates]
    agenda: Callable[[UnitOfWork], Agenda]

    def decode(self, record: Record[bytes | None]) -> KnownMember:
        if record.value is None:
            assert record.key is not None
            return KnownMember.erased(MemberId(str(UUID(record.key))))
        state = MemberState.model_validate_json(record.value)
        told = state.birthday
        consents = tuple((each.purpose, each.channel, each.granted) for each in state.consents)
        return KnownMember(
            member_id=MemberId(state.member_id),
            version=state.version,
            status=state.status,
            locale=state.locale,
            time_zone=state.time_zone,
            consents=consents,
            birthday=BirthdayTold(told.calendar, told.month, told.day) if told else None,
            joined_at=state.joined_at,
            recorded_at=state.recorded_at,
        )

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[KnownMember]]) -> None:
        # Every version, not the newest alone: since when a birthday is told must not depend on the size of a batch.
        await keep_members(self.states(uow), self.agenda(uow), [record.value for record in records])
