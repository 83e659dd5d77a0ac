"""Dead letters and parked keys for people, and as documents."""

import base64
import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.base import rfc3339
from services.ops.decisions import Redriven
from services.ops.operator_actions import OperatorAction
from services.ops.set_aside import DeadLetter, Page, ParkedKey, Payload, shown_key
from services.runtime.kafka.redrive import Release


def page_document(page: Page, parked: Sequence[ParkedKey], now: datetime) -> dict[str, Any]:
    return {
        "dead_letters": [_document(each, now) for each in page.letters],
        "parked_keys": [dataclasses.asdict(each) for each in parked],
        "before": page.letters[0].name if page.has_earlier else None,
    }


def letter_document(
    letter: DeadLetter, actions: Sequence[OperatorAction], now: datetime, payload: Payload | None
) -> dict[str, Any]:
    document = _document(letter, now) | {"actions": [dataclasses.asdict(each) for each in actions]}
    return document if payload is None else document | {"payload": _payload_document(payload)}


def show_page(page: Page, parked: Sequence[ParkedKey], now: datetime, console: Console) -> None:
    if page.has_earlier:
        console.print(f"there are earlier ones: --before {page.letters[0].name}", highlight=False)
    if page.letters:
        letters = Table("service", "id", "position", "key", "code", "pointer", "age", "state", title="dead letters")
        for each in page.letters:
            place = f"{each.topic}/{each.partition}/{each.offset}"
            age = _age(now - each.received_at)
            row = (each.service, each.id, place, each.key, each.code, each.pointer, age, each.state)
            letters.add_row(*map(_cell, row))
        console.print(letters)
    if parked:
        keys = Table("service", "topic", "key", "records", "first", "since", "by", title="parked keys")
        for it in parked:
            since = _age(now - it.parked_at)
            cells = (it.service, it.topic, it.key, f"{it.records:,}", it.first, since, it.parked_by)
            keys.add_row(*map(_cell, cells))
        console.print(keys)
    if not (page.letters or parked):
        console.print("nothing is set aside")


def show_letter(
    letter: DeadLetter, actions: Sequence[OperatorAction], now: datetime, payload: Payload | None, console: Console
) -> None:
    table = Table(show_header=False, title=letter.name)
    for name, value in _document(letter, now).items():
        if value not in (None, ""):
            table.add_row(name, _cell(value))
    console.print(table)
    for each in actions:
        why = f": {each.why}" if each.why else ""
        _say(f"{rfc3339(each.at)} {each.operator}: {each.action}{why}", console)
    if payload is not None:
        document = _payload_document(payload)
        _say(f"key {document['key']}", console)
        for name, value in payload.headers.items():
            _say(f"{name}: {value}", console)
        sent = document.get("value", document.get("value_base64"))
        _say("a tombstone" if sent is None else sent, console)


def redriven_document(done: Redriven) -> dict[str, Any]:
    parked = [dataclasses.asdict(each) | {"key": shown_key(each.topic, each.key)} for each in done.parked_keys]
    return dataclasses.asdict(done) | {"parked_keys": parked}


def show_redriven(done: Redriven, console: Console) -> None:
    if done.is_empty:
        console.print("nothing to redrive")
    if done.redriven or done.refused:
        console.print(f"{len(done.redriven):,} redriven, {len(done.refused):,} stay open")
    for letter_id, cause in done.refused.items():
        _say(f"  {letter_id} stays open: {cause}", console)
    for release in done.parked_keys:
        _say(_released(release), console)
    if done.later is not None:
        _say(f"not now: {done.later}; what is left stays open", console)


def _released(it: Release) -> str:
    lettered = f", {it.dead_lettered:,} to the dead letters" if it.dead_lettered else ""
    done = f"{it.topic} {shown_key(it.topic, it.key)}: {it.applied:,} records applied{lettered}"
    if it.refusal is None:
        return f"{done}, released"
    return f"{done}, {it.left:,} stay parked: {it.refusal.cause}"


def _document(letter: DeadLetter, now: datetime) -> dict[str, Any]:
    return dataclasses.asdict(letter) | {"age_seconds": round((now - letter.received_at).total_seconds(), 1)}


def _payload_document(payload: Payload) -> dict[str, Any]:
    told: dict[str, Any] = {"key": payload.key, "headers": payload.headers}
    if payload.value is None:
        return told | {"value": None}
    try:
        return told | {"value": payload.value.decode()}
    except UnicodeDecodeError:
        return told | {"value_base64": base64.b64encode(payload.value).decode()}


def _say(words: str, console: Console) -> None:
    console.print(_harmless(words), highlight=False, markup=False, soft_wrap=True)


def _cell(value: object) -> Text:
    shown = rfc3339(value) if isinstance(value, datetime) else "" if value is None else str(value)
    return Text(_harmless(shown))


def _harmless(words: str) -> str:
    """What came from outside may hold orders to a terminal."""
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in words)


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
