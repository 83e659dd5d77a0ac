"""Conflicts for people and for programs; nothing personal unless a payload was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from services.ops.explanation import money

if TYPE_CHECKING:
    from services.ops.conflicts import Json, Listed, Pair, Second

FINGERPRINT_SHOWN = 12


def show_list(found: Sequence[Listed], console: Console) -> None:
    if not found:
        console.print("no conflicts")
        return
    table = Table("event", "source", "since", "reasons", "conflicts", "to decide")
    for each in found:
        counts = str(each.conflicts), str(each.undecided)
        table.add_row(str(each.event_id), each.source, f"{each.since:%Y-%m-%d %H:%M}", ", ".join(each.reasons), *counts)
    console.print(table)


def show_pair(pair: Pair, console: Console) -> None:
    for line in _narrated(pair):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def pair_document(pair: Pair) -> dict[str, Any]:
    standing = pair.first.standing
    assert standing is not None, "a conflict is with what was seen before"
    return {
        "event_id": str(pair.first.event_id),
        "outcome": standing.fate,
        "source": pair.first.source,
        "member_id": standing.member_id,
        "fingerprint": standing.fingerprint.hex(),
        "recorded_at": pair.first.recorded_at,
        "content": pair.content,
        "conflicts": [_second_document(each) for each in pair.seconds],
    }


def _second_document(second: Second) -> dict[str, Any]:
    row, ruling = second.filed.row, second.filed.ruling
    document: dict[str, Any] = {
        "fingerprint": row.fingerprint.hex(),
        "reason": row.reason,
        "recorded_at": row.recorded_at,
        "times": second.filed.times,
        "content": second.content,
        "verdict": ruling and ruling.verdict,
    }
    if ruling is not None:
        document |= {"decided_by": ruling.by, "decided_at": second.filed.decided_at, "why": ruling.why}
        document["accepted_as"] = ruling.accepted_as
    return document | ({} if second.payload is None else {"payload": second.payload})


def _narrated(pair: Pair) -> Iterator[str]:
    document = pair_document(pair)
    member = f" of member {document['member_id']}" if document["member_id"] else ""
    yield f"event {document['event_id']}"
    yield f"  the first: {document['outcome']}{member}, from {document['source']}, recorded {document['recorded_at']}"
    yield from _content(pair.content)
    for each in document["conflicts"]:
        name, reason = each["fingerprint"][:FINGERPRINT_SHOWN], each["reason"].replace("_", " ")
        yield f"  {name}: {reason}, came {each['times']} times, first {each['recorded_at']}"
        yield from _content(each["content"])
        if each["verdict"]:
            accepted = f" as {each['accepted_as']}" if each["accepted_as"] else ""
            yield f"    {each['verdict'].replace('_', ' ')}{accepted} by {each['decided_by']}: {each['why']}"
        if "payload" in each:
            yield f"    {json.dumps(each['payload'], ensure_ascii=False)}"
    if any(each["verdict"] is None for each in document["conflicts"]):
        which = "--keep-first|--accept-second --by NAME --why TEXT"
        yield f"  to decide: loyalty conflicts decide {document['event_id']} [FINGERPRINT] {which}"


def _content(content: Json | None) -> Iterator[str]:
    if content is None:
        yield "    (nothing is kept of it here any more)"
        return
    paid = ", ".join(f"{each['type']} {money(each['amount'])}" for each in content["tenders"])
    yield f"    {content['occurred_at']}, {content['currency']}, paid by {paid or 'nothing'}"
    for line in content["lines"]:
        yield f"      line {line['line']}: {line['quantity']} × {line['sku']}, {money(line['net'])}"
