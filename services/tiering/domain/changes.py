"""From a standing to the changes that must be published: one for each instant at which it differs from what was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.tiering.domain.facts import Qualified, TierChanged
from services.tiering.domain.rules import Rules, in_force
from services.tiering.domain.standing import Ladder, Step, credited


@dataclass(frozen=True, slots=True)
class Published:
    """What a published change says about standing."""

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
        return _in_force(self.published, at)


@dataclass(frozen=True, slots=True)
class _Raised:
    """A change to publish, with the tier that stood there before it."""

    published: Published
    before: str | None
    step: Step


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
    changes = _changes(after, fact, versions, max(now, state.last_recorded_at or now))
    return evolve(after, changes), changes


def evolve(state: MemberStanding, changes: Sequence[TierChanged]) -> MemberStanding:
    for change in changes:
        assert change.member_seq == state.member_seq + 1, "changes of a member are numbered without gaps"
        published = Published(change.member_seq, change.effective_from, change.to_tier, change.valid_until)
        state = replace(
            state,
            member_seq=change.member_seq,
            last_recorded_at=change.recorded_at,
            published=(*state.published, published),
        )
    return state


def _changes(
    state: MemberStanding, cause: Qualified, versions: Sequence[Rules], now: datetime
) -> tuple[TierChanged, ...]:
    raised = list(_raised(state, versions))
    timeline = (*state.published, *(each.published for each in raised))
    told = list(_present_and_future(state, now))
    changes = []
    for each in raised:
        change = each.published
        is_over = any(change.effective_from < later.effective_from <= now for later in timeline)
        # A tier that is already promised, or promised by the change just before, is no news a second time.
        is_known = any(not _is_higher(change.tier, promise.tier, now, versions) for promise in told)
        if not is_over:
            told.append(change)
        changes.append(_fact(state.member_id, cause, each, now, retroactive=is_over or is_known))
    return tuple(changes)


def _present_and_future(state: MemberStanding, now: datetime) -> Iterator[Published]:
    present = state.tier_at(now)
    if present is not None:
        yield present
    yield from (each for each in state.published if each.effective_from > now)


def _raised(state: MemberStanding, versions: Sequence[Rules]) -> Iterator[_Raised]:
    """Walks every instant at which standing changes or was said to; only upwards is anything said anew."""
    timeline = list(state.published)
    instants = {step.effective_from for step in state.ladder.steps} | {each.effective_from for each in timeline}
    member_seq = state.member_seq
    for instant in sorted(instants):
        step = state.ladder.step_at(instant)
        said = _in_force(timeline, instant)
        before = said.tier if said is not None else None
        if step is not None and _is_higher(step.tier, before, instant, versions):
            member_seq += 1
            timeline.append(Published(member_seq, instant, step.tier, step.valid_until))
            yield _Raised(timeline[-1], before, step)


def _fact(member_id: str, cause: Qualified, raised: _Raised, now: datetime, *, retroactive: bool) -> TierChanged:
    published, step = raised.published, raised.step
    return TierChanged(
        member_id=member_id,
        member_seq=published.member_seq,
        event_id=cause.event_id,
        from_tier=raised.before,
        to_tier=step.tier,
        reason="late_purchase" if retroactive else "reached",
        occurred_at=step.crossed_at,
        effective_from=published.effective_from,
        recorded_at=now,
        valid_until=published.valid_until,
        metric=step.metric,
        threshold=step.threshold,
        unit=step.unit,
        window=step.window,
        programme_version=step.programme_version,
        retroactive=retroactive,
    )


def _is_higher(tier: str | None, than: str | None, at: datetime, versions: Sequence[Rules]) -> bool:
    rules = in_force(versions, at)
    return rules is not None and rules.rank(tier) > rules.rank(than)


def _in_force(changes: Sequence[Published], at: datetime) -> Published | None:
    started = [change for change in changes if change.effective_from <= at]
    return max(started, key=lambda change: (change.effective_from, change.member_seq), default=None)
