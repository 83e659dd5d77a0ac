"""Whatever a file says, its author gets findings and never a fault."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.programme import ProgrammeDocument
from services.programme.adapters.reading import read_document
from services.programme.application import Source, check
from services.programme.domain.findings import Finding, is_publishable, spelled
from tests.support.programmes import SMALL

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["points", "growth", "gold", "P1M", "P0D", "1.5", "2026-03-01", "09:00", "email", "{{ x }}"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """The small programme with up to three of its parts replaced by anything."""
    document = json.loads(json.dumps(SMALL))
    for _ in range(draw(st.integers(0, 3))):
        here: Any = document
        while True:
            key = draw(st.sampled_from(sorted(here)) if isinstance(here, dict) else st.integers(0, len(here) - 1))
            deeper = here[key]
            if not isinstance(deeper, dict | list) or not deeper or draw(st.booleans()):
                here[key] = draw(values)
                break
            here = deeper
    return dict(document)


def found(source: Source) -> tuple[Finding, ...]:
    reading = read_document(source)
    before = read_document(Source(json.dumps(SMALL).encode(), is_json=True)).programme
    findings = (*check(reading, None), *check(reading, before))
    assert reading.programme is not None or not is_publishable(findings)
    return findings


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(text: bytes, is_json: bool) -> None:
    for finding in found(Source(text, is_json=is_json)):
        assert finding.message
        assert finding.remedy


@given(st.text(alphabet="ab: -[]{},&*!|>'\"#\n\t?%@`0.~", max_size=60))
def test_any_marks_of_yaml_are_read_or_refused(text: str) -> None:
    found(Source(text.encode()))


@given(spoilt())
def test_a_spoilt_programme_gets_findings_with_places(document: dict[str, Any]) -> None:
    for finding in found(Source(json.dumps(document).encode(), is_json=True)):
        assert spelled(finding.path)


@given(spoilt())
def test_what_may_be_published_reads_back_as_it_is(document: dict[str, Any]) -> None:
    reading = read_document(Source(json.dumps(document).encode(), is_json=True))
    if reading.programme is not None and is_publishable(reading.findings):
        canonical = reading.canonical()
        assert ProgrammeDocument.model_validate_json(canonical).model_dump_json().encode() == canonical
        assert read_document(Source(canonical, is_json=True)).canonical() == canonical
