"""Plans messages about what has happened."""

from collections.abc import Sequence
from datetime import datetime

from services.notifier.application.announcing import announce
from services.notifier.application.ports import Store
from services.notifier.domain.messages import MemberId
from services.notifier.domain.planning import Planned, Rules, TierChange, plan
from services.notifier.domain.tier_stream import TierCursor, take


async def react_to_tiers(store: Store, changes: Sequence[TierChange], *, now: datetime) -> int:
    """Plans what the changes give reason to; answers how many messages came of them."""
    cursors = await store.lock_cursors({change.member_id for change in changes})
    fresh = _take_all(cursors, changes)
    if not fresh:
        return 0
    rules = await store.rules_in_force({change.recorded_at for change in fresh}, now=now)
    planned = [each for change in fresh for each in _plan_by(change, rules[change.recorded_at], now)]
    announced = await announce(store, planned, now=now)
    await store.save_cursors({change.member_id: cursors[change.member_id] for change in fresh})
    return len(announced.steps)


def _take_all(cursors: dict[MemberId, TierCursor], changes: Sequence[TierChange]) -> list[TierChange]:
    fresh = []
    for change in changes:
        taken = take(cursors[change.member_id], change)
        if taken is not None:
            cursors[change.member_id] = taken
            fresh.append(change)
    return fresh


def _plan_by(change: TierChange, rules: Rules | None, now: datetime) -> tuple[Planned, ...]:
    return plan(change, rules, now=now) if rules is not None else ()
