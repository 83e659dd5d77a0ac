"""Standing computed the plain way: all facts at hand, in order, on a calendar of local days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.tiering.domain.facts import Qualified
from services.tiering.domain.rules import Rules
from tests.support.tiering_worlds import SHANGHAI

_MONTHS = {"calendar_year": 12, "calendar_quarter": 3, "calendar_month": 1}


@dataclass
class _Held:
    rank: int = -1
    until: datetime | None = None


def tiers_at(
    facts: Sequence[Qualified], versions: Sequence[Rules], instants: Sequence[datetime], *, judged_until: datetime
) -> list[str | None]:
    """The tier at each instant, where every end up to `judged_until` is judged; versions share zone and window."""
    told = _history(sorted(facts, key=lambda fact: fact.occurred_at), versions, judged_until)
    return [_last(told, instant) for instant in instants]


def _history(
    facts: Sequence[Qualified], versions: Sequence[Rules], judged_until: datetime
) -> list[tuple[datetime, str | None]]:
    held, told = _Held(), list[tuple[datetime, str | None]]()
    for fact in facts:
        _judge(held, told, facts, versions, fact.occurred_at)
        rules = _rules(versions, fact.occurred_at)
        begin, end = _period(rules, fact.occurred_at)
        metric = sum(
            each.amounts["growth"]
            for each in facts
            if each.occurred_at <= fact.occurred_at and (begin is None or begin <= each.occurred_at)
        )
        rank = sum(1 for level in rules.levels if level.reach <= metric) - 1
        if rank < 0 or rank < held.rank:
            continue
        until = _valid_until(rules, end)
        if rank > held.rank:
            told.append((_start(rules, fact.occurred_at), rules.levels[rank].id))
            held.rank, held.until = rank, until
        elif held.until is not None and (until is None or until > held.until):
            held.until = until
    _judge(held, told, facts, versions, judged_until)
    return told


def _judge(
    held: _Held,
    told: list[tuple[datetime, str | None]],
    facts: Sequence[Qualified],
    versions: Sequence[Rules],
    until: datetime,
) -> None:
    while held.until is not None and held.until <= until:
        boundary, rules = held.until, _rules(versions, held.until)
        begin, _ = _period(rules, boundary - timedelta(microseconds=1))
        assert begin is not None
        metric = sum(each.amounts["growth"] for each in facts if begin <= each.occurred_at < boundary)
        while held.rank >= 0 and metric < rules.levels[held.rank].keep and rules.downgrade != "never":
            held.rank -= 1
            if rules.downgrade == "one_step":
                break
        told.append((boundary, rules.levels[held.rank].id if held.rank >= 0 else None))
        held.until = _period(rules, boundary)[1] if held.rank >= 0 else None


def _rules(versions: Sequence[Rules], at: datetime) -> Rules:
    return max((each for each in versions if each.starts_at <= at), key=lambda each: each.version)


def _period(rules: Rules, at: datetime) -> tuple[datetime | None, datetime | None]:
    if rules.window == "lifetime":
        return None, None
    local, months = at.astimezone(SHANGHAI), _MONTHS[rules.window]
    first = local.year * 12 + (local.month - 1) // months * months
    return _first_of(first), _first_of(first + months)


def _first_of(count: int) -> datetime:
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=SHANGHAI)


def _valid_until(rules: Rules, end: datetime | None) -> datetime | None:
    if end is None or rules.valid == "for_ever":
        return None
    return end if rules.valid == "end_of_period" else _period(rules, end)[1]


def _start(rules: Rules, crossed_at: datetime) -> datetime:
    if rules.benefits_start == "immediately":
        return crossed_at + timedelta(microseconds=1)
    day = crossed_at.astimezone(SHANGHAI).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def _last(told: Sequence[tuple[datetime, str | None]], instant: datetime) -> str | None:
    # What was told later stands where two begin at one instant.
    begun = [tier for starts_at, tier in told if starts_at <= instant]
    return begun[-1] if begun else None
