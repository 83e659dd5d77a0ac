"""From a standing to the changes that must be published: one for each instant at which it differs from what was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.tiering.domain.facts import Qualified, Reason, TierChanged
from services.tiering.domain.rules import Rules, in_force
from services.tiering.domain.standing import Ladder, Step, credited, evaluated
from services.tiering.domain.windows import INSTANT


@dataclass(frozen=True, slots=True)
class Published:
    """What a published change says about standing; `valid_until` moves where the end of a period leaves the tier."""

    member_seq: int
    effective_from: datetime
    tier: str | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class MemberStanding:
    """A member's state; `published` in the order of its numbers, of which the last is `member_seq`."""

    member_id: str
    member_seq: int = 0
    last_recorded_at: datetime | None = None
    ladder: Ladder = field(default_factory=Ladder)
    published: tuple[Published, ...] = ()

    def tier_at(self, at: datetime) -> Published | None:
        """The change with the greatest `effective_from` not after `at`, of equals the highest number."""
        return published_at(self.published, at)

    def holds_until(self, change: Published) -> datetime | None:
        """Reaching a level again moves its end; no change is published for that, so the ladder knows better."""
        if change.valid_until is None:
            return None
        step = self.ladder.step_at(max(change.effective_from, change.valid_until - INSTANT))
        if step is None or step.tier != change.tier:
            return change.valid_until
        return None if step.valid_until is None else max(change.valid_until, step.valid_until)


@dataclass(frozen=True, slots=True)
class Difference:
    """A change to publish, with the tier that stood there before it and its evidence."""

    published: Published
    before: str | None
    evidence: Step
    reason: Reason


def qualify(
    state: MemberStanding, fact: Qualified, versions: Sequence[Rules], now: datetime
) -> tuple[MemberStanding, tuple[TierChanged, ...]]:
    """The state after `fact` and the changes that it brings; `versions` must hold all that have started."""
    ladder = state.ladder
    if fact.amounts:
        ladder = credited(ladder, fact.occurred_at, fact.amounts, versions)
    after = replace(state, ladder=ladder)
    # Nearly every fact ends here: only a step taken, moved or renewed can differ from what was published.
    if ladder.steps == state.ladder.steps:
        return after, ()
    return announced(after, (), fact.event_id, versions, now)


def announced(
    state: MemberStanding, lowered: Sequence[Difference], event_id: str, versions: Sequence[Rules], now: datetime
) -> tuple[MemberStanding, tuple[TierChanged, ...]]:
    """The state after `lowered` is said, and after it every rise that was not said yet."""
    now = max(now, state.last_recorded_at or now)
    told = (*state.published, *(each.published for each in lowered))
    raised = tuple(_raised(state, told, versions))
    timeline = (*told, *(each.published for each in raised))
    news = [*_present_and_future(told, now)]
    held = published_at(state.published, now)
    changes = []
    for each in (*lowered, *raised):
        change = each.published
        is_over = any(change.effective_from < later.effective_from <= now for later in timeline)
        # What was held until this moment goes on: that it was lost and reached again meanwhile is no news.
        known = news if held is None or change.effective_from > now else [*news, held]
        # A tier that is already promised, or promised by the change just before, is no news a second time.
        is_known = each.reason == "reached" and any(not _is_higher(change.tier, it.tier, now, versions) for it in known)
        if not is_over:
            news.append(change)
        is_late = not lowered and each.reason == "reached" and (is_over or is_known)
        told_as = replace(each, reason="late_purchase") if is_late else each
        changes.append(_fact(state.member_id, event_id, told_as, now, retroactive=is_over or is_known))
    return evolve(state, changes), tuple(changes)


def evolve(state: MemberStanding, changes: Sequence[TierChanged]) -> MemberStanding:
    for change in changes:
        assert change.member_seq == state.member_seq + 1, "changes of a member are numbered without gaps"
        said = Published(change.member_seq, change.effective_from, change.to_tier, change.valid_until)
        state = replace(
            state,
            member_seq=change.member_seq,
            last_recorded_at=change.recorded_at,
            published=(*state.published, said),
        )
    return state


def published_at(changes: Sequence[Published], at: datetime) -> Published | None:
    started = [change for change in changes if change.effective_from <= at]
    return max(started, key=lambda change: (change.effective_from, change.member_seq), default=None)


def _present_and_future(told: Sequence[Published], now: datetime) -> Iterator[Published]:
    present = published_at(told, now)
    if present is not None:
        yield present
    yield from (each for each in told if each.effective_from > now)


def _raised(state: MemberStanding, told: Sequence[Published], versions: Sequence[Rules]) -> Iterator[Difference]:
    """Walks every instant at which standing changes or was said to; only upwards is anything said anew."""
    timeline = list(told)
    instants = {step.effective_from for step in state.ladder.steps} | {each.effective_from for each in timeline}
    for instant in sorted(instants):
        step = state.ladder.step_at(instant)
        said = published_at(timeline, instant)
        before = said.tier if said is not None else None
        if step is not None and _is_higher(step.tier, before, instant, versions):
            change = Published(len(timeline) + 1, instant, step.tier, step.valid_until)
            evidence, reason = _why(state.ladder, step, change, told, versions)
            timeline.append(change)
            yield Difference(change, before, evidence, reason)


def _why(
    ladder: Ladder, step: Step, change: Published, told: Sequence[Published], versions: Sequence[Rules]
) -> tuple[Step, Reason]:
    """A tier that was held up to this very instant is not reached anew, but goes on: mostly an end judged again."""
    held = published_at(told, change.effective_from - INSTANT)
    rules = in_force(versions, change.effective_from)
    if held is None or rules is None or _is_higher(step.tier, held.tier, change.effective_from, versions):
        return step, "reached"
    period = rules.period_ending_near(change.effective_from)
    if period is None or period.ends_at != change.effective_from:
        return step, "late_purchase"
    return evaluated(ladder, held.tier, change.effective_from, period, rules), "late_purchase"


def _fact(member_id: str, event_id: str, change: Difference, now: datetime, *, retroactive: bool) -> TierChanged:
    published, evidence = change.published, change.evidence
    return TierChanged(
        member_id=member_id,
        member_seq=published.member_seq,
        event_id=event_id,
        from_tier=change.before,
        to_tier=published.tier,
        reason=change.reason,
        occurred_at=evidence.crossed_at,
        effective_from=published.effective_from,
        recorded_at=now,
        valid_until=published.valid_until,
        metric=evidence.metric,
        threshold=evidence.threshold,
        unit=evidence.unit,
        window=evidence.window,
        programme_version=evidence.programme_version,
        retroactive=retroactive,
    )


def _is_higher(tier: str | None, than: str | None, at: datetime, versions: Sequence[Rules]) -> bool:
    rules = in_force(versions, at)
    return rules is not None and rules.rank(tier) > rules.rank(than)
