"""The topics that tiering reads, each as a handler of the loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas import points
from schemas.members import MemberState
from services.runtime.ports import Clock, Record
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.tiering.application import (
    Confirmations,
    KnownMember,
    Members,
    PointsFact,
    Programme,
    Standings,
    take_points,
)

StandingsOf = Callable[[UnitOfWork], Standings]
ProgrammeOf = Callable[[UnitOfWork], Programme]
ConfirmationsOf = Callable[[UnitOfWork], Confirmations]
MembersOf = Callable[[UnitOfWork], Members]


@dataclass(frozen=True, slots=True)
class PointsHandler:
    """Topic `points`: what qualifies moves standing; a fact of a kind not known here stops its partition."""

    standings: StandingsOf
    programme: ProgrammeOf
    confirmations: ConfirmationsOf
    clock: Clock

    def decode(self, record: Record[bytes | None]) -> PointsFact:
        assert record.value is not None, "a points fact is never a tombstone"
        # A kind of fact that is not known here may take points back: better to stop than to miss it.
        fact = points.POINTS_FACT.validate_json(record.value)
        return PointsFact(
            member_id=fact.member_id,
            member_seq=fact.member_seq,
            hash=bytes.fromhex(record.headers["hash"]),
            encoded=record.value,
            event_id=fact.event_id,
            occurred_at=_counts_at(fact),
            amounts=_amounts(fact),
        )

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[PointsFact]]) -> None:
        facts = [record.value for record in records]
        await take_points(self.standings(uow), self.programme(uow), facts, self.clock())

    async def caught_up(self, uow: UnitOfWork, partition: int, checked_at: datetime, *, any_parked: bool) -> None:
        # Members whose facts are parked are left out where ends of periods are judged; they hold up nobody else.
        await self.confirmations(uow).confirm(partition, checked_at)


@dataclass(frozen=True, slots=True)
class MembersHandler:
    """Topic `members`: who there is, and nothing else about them."""

    members: MembersOf

    def decode(self, record: Record[bytes | None]) -> KnownMember:
        if record.value is None:
            return KnownMember(str(UUID(record.key)), None)
        state = MemberState.model_validate_json(record.value)
        return KnownMember(state.member_id, state.version, state.status)

    async def handle(self, uow: UnitOfWork, records: Sequence[Record[KnownMember]]) -> None:
        await self.members(uow).save([record.value for record in records])


def _counts_at(fact: points.PointsFact) -> datetime:
    """A return counts against the window of its original, whenever it comes."""
    if isinstance(fact, points.ReturnRecorded | points.ReturnVoided):
        return fact.original_occurred_at
    return fact.occurred_at


def _amounts(fact: points.PointsFact) -> dict[str, int]:
    """By unit, what the fact awarded; negative where it took back more than it gave."""
    amounts: dict[str, int] = {}
    match fact:
        case points.PurchaseRecorded() | points.ActivityRecorded():
            for award in fact.awards:
                amounts[award.unit] = amounts.get(award.unit, 0) + award.points
        case points.ReturnRecorded() | points.ReturnVoided() | points.PointsCorrected():
            for change in fact.changes:
                amounts[change.unit] = amounts.get(change.unit, 0) + change.after - change.before
        case _:
            pass
    return amounts
