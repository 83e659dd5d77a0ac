"""Birthdays: what is ahead is kept in an agenda, which follows members and programme; what has come is announced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.notifier.application.announcing import Announced, announce
from services.notifier.application.ports import (
    Agenda,
    BirthdayTransactions,
    DueCelebration,
    MemberStates,
    Store,
    Sweep,
)
from services.notifier.domain.celebrations import Celebrant, Celebration, Reign, celebration, celebrations
from services.notifier.domain.known_members import KnownMember
from services.notifier.domain.planning import announced
from services.notifier.domain.watch import Watch, first_to_sweep, widened
from services.runtime.ports import Clock

SWEEP_MEMBERS = 500
DUE_MAX = 100


async def keep_members(states: MemberStates, agenda: Agenda, members: Sequence[KnownMember]) -> None:
    """Keeps members who are new or have changed, and what is ahead of them; days that are not watched yet are for the
    sweep to come."""
    # The watch before any member, as a sweep takes them.
    watch = await agenda.watch()
    await states.keep(members)
    if watch is not None:
        await _replan(agenda, await agenda.celebrants({member.member_id for member in members}), watch)


@dataclass(frozen=True, slots=True)
class BirthdayPlanner:
    """Looks ahead by `horizon`, day by day: each day is swept once, and again when the programme has changed."""

    transactions: BirthdayTransactions
    clock: Clock
    horizon: timedelta

    async def run_once(self) -> int:
        """Answers how many members were looked at, at least 1 for each day; 0 when all days are swept."""
        await self.transactions.run(self._widen)
        return await self.transactions.run(self._sweep)

    async def _widen(self, _store: Store, agenda: Agenda) -> None:
        watch, reigns, now = await agenda.watch_to_widen(), await agenda.reigns(), self.clock()
        if not reigns:
            return
        wanted = widened(watch, reigns, now=now, horizon=self.horizon)
        if wanted != watch:
            await agenda.widen(wanted, sweep_from=first_to_sweep(watch, wanted, reigns, now=now))

    async def _sweep(self, _store: Store, agenda: Agenda) -> int:
        watch, sweep = await agenda.watch(), await agenda.next_sweep()
        if watch is None or sweep is None:
            return 0
        celebrants = await agenda.celebrants_on(sweep, limit=SWEEP_MEMBERS)
        await _replan(agenda, celebrants, watch)
        is_through = len(celebrants) < SWEEP_MEMBERS
        await agenda.swept(Sweep(sweep.day, None if is_through else celebrants[-1].member_id))
        return max(1, len(celebrants))


@dataclass(frozen=True, slots=True)
class BirthdayHerald:
    """Announces what has come, by the member and the programme as they are known at that moment."""

    transactions: BirthdayTransactions
    clock: Clock
    told: Callable[[Announced], None] = lambda _announced: None
    """Hears of what is on record once it is committed."""

    async def run_once(self) -> int:
        """Answers how many entries of the agenda were due; NotReady while the programme is not known up to now."""
        count, announced_now = await self.transactions.run(self._meet)
        self.told(announced_now)
        return count

    async def _meet(self, store: Store, agenda: Agenda) -> tuple[int, Announced]:
        now = self.clock()
        due = await agenda.due(now=now, limit=DUE_MAX)
        if not due:
            return 0, Announced()
        found = _as_it_is(due, await agenda.reigns_confirmed(now=now))
        come = [each for each in found if each.due_at <= now]
        await store.lock_cursors({each.member_id for each in come})
        planned = [each for one in come for each in announced(one.announcement(), now=now)]
        recorded = await announce(store, planned, now=now)
        await agenda.settle(due, [each for each in found if each.due_at > now])
        return len(due), recorded


def _as_it_is(due: Sequence[DueCelebration], reigns: Sequence[Reign]) -> list[Celebration]:
    found = (celebration(each.celebrant, reigns, each.campaign, each.year) for each in due)
    return [each for each in found if each is not None]


async def _replan(agenda: Agenda, celebrants: Sequence[Celebrant], watch: Watch) -> None:
    reigns = await agenda.reigns()
    ahead = [
        each for celebrant in celebrants for each in celebrations(celebrant, reigns, watch.first_day, watch.last_day)
    ]
    await agenda.replan({celebrant.member_id for celebrant in celebrants}, ahead)
