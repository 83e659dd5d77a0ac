"""A member's standing as JSON: instants are microseconds since 1970, so that a year of credits stays small."""

import json
from datetime import datetime
from typing import Any

from services.tiering.domain.changes import MemberStanding, Published
from services.tiering.domain.instants import instant_of, micros_of
from services.tiering.domain.standing import Credit, Ladder, Step
from services.tiering.domain.windows import Window


def encode_state(state: MemberStanding) -> str:
    ladder = state.ladder
    document = {
        "recorded": _micros(state.last_recorded_at),
        "credits": ladder.credits,
        "steps": [_step(step) for step in ladder.steps],
        "ended": _micros(ladder.ended_until),
        "published": [
            [each.member_seq, _micros(each.effective_from), each.tier, _micros(each.valid_until)]
            for each in state.published
        ],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def decode_state(member_id: str, text: str) -> MemberStanding:
    document = json.loads(text)
    credits = {unit: tuple(map(Credit._make, held)) for unit, held in document["credits"].items()}
    steps = tuple(_read_step(step) for step in document["steps"])
    published = tuple(
        Published(seq, instant_of(since), tier, _maybe(until)) for seq, since, tier, until in document["published"]
    )
    return MemberStanding(
        member_id=member_id,
        member_seq=published[-1].member_seq if published else 0,
        last_recorded_at=_maybe(document["recorded"]),
        # Before migration 0002 no end of a period was judged.
        ladder=Ladder(credits, steps, _maybe(document.get("ended"))),
        published=published,
    )


def _step(step: Step) -> dict[str, Any]:
    return {
        "tier": step.tier,
        "crossed": _micros(step.crossed_at),
        "from": _micros(step.effective_from),
        "until": _micros(step.valid_until),
        "metric": step.metric,
        "threshold": step.threshold,
        "unit": step.unit,
        "window": [step.window.kind, _micros(step.window.starts_at), _micros(step.window.ends_at)],
        "version": step.programme_version,
    }


def _read_step(document: dict[str, Any]) -> Step:
    kind, starts_at, ends_at = document["window"]
    return Step(
        tier=document["tier"],
        crossed_at=instant_of(document["crossed"]),
        effective_from=instant_of(document["from"]),
        valid_until=_maybe(document["until"]),
        metric=document["metric"],
        threshold=document["threshold"],
        unit=document["unit"],
        window=Window(kind, _maybe(starts_at), _maybe(ends_at)),
        programme_version=document["version"],
    )


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else micros_of(instant)


def _maybe(micros: int | None) -> datetime | None:
    return None if micros is None else instant_of(micros)
