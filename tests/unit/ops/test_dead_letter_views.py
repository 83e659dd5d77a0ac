"""What came from outside is shown to people and obeyed by nobody."""

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from services.ops.dead_letter_views import page_document, show_letter, show_page
from services.ops.set_aside import HIDDEN, DeadLetter, Page, ParkedKey, Payload, shown_key

NOW = datetime(2026, 3, 11, 2, 0, tzinfo=UTC)
HOSTILE = "[/red]\x1b]0;owned\x07/a/b"
LETTER = DeadLetter(
    service="ingest",
    id=120,
    topic="checkouts",
    partition=3,
    offset=1841,
    key=HOSTILE,
    event_ref=None,
    code="invalid_json",
    detail="not JSON",
    pointer="/lines[0]",
    appended_at=NOW,
    received_at=NOW - timedelta(hours=5),
    state="open",
    decided_by=None,
    decided_at=None,
)


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(of: Console) -> str:
    assert isinstance(of.file, io.StringIO)
    return of.file.getvalue()


def test_a_hostile_key_is_shown_and_gives_the_terminal_no_orders() -> None:
    to = console()
    parked = ParkedKey("ingest", "checkouts", HOSTILE, 2, "3/1841", "ann", NOW - timedelta(days=2))
    show_page(Page((LETTER,), has_earlier=True), [parked], NOW, to)
    show_letter(LETTER, [], NOW, Payload(HOSTILE, {"ce_id": HOSTILE}, b"{\x1b[2J"), to)
    assert "\x1b" not in printed(to)
    assert printed(to).count(r"[/red]\x1b]0;owned\x07/a/b") == 5
    assert all(words in printed(to) for words in ("--before ingest/120", "/lines[0]", "5 h", "2 d", r"{\x1b[2J"))


def test_bytes_that_are_no_text_are_shown_as_base64() -> None:
    to = console()
    show_letter(LETTER, [], NOW, Payload(None, {}, b"\xff\x00"), to)
    show_letter(LETTER, [], NOW, Payload(None, {}, None), to)
    assert "/wA=" in printed(to)
    assert "a tombstone" in printed(to)


def test_a_key_is_shown_where_it_cannot_be_a_person() -> None:
    assert shown_key("checkouts", "pos.acme/0457/03") == "pos.acme/0457/03"
    assert shown_key("checkouts", "880012345678") == HIDDEN
    assert shown_key("checkouts", None) is None
    assert shown_key("purchases", "9930eba5-87ab-4ead-a7af-36113434a667") == "9930eba5-87ab-4ead-a7af-36113434a667"


def test_a_page_without_earlier_ones_names_no_border() -> None:
    assert page_document(Page((LETTER,), has_earlier=False), [], NOW)["before"] is None
    assert page_document(Page((LETTER,), has_earlier=True), [], NOW)["before"] == "ingest/120"
