"""Files as people write them, and as they should not."""

import json

import pytest

from services.programme.adapters.reading import read_document
from services.programme.adapters.written import BYTES_MAX, DEPTH_MAX, read_written
from services.programme.application import Source, check_alone
from tests.support.programmes import EXAMPLE, SMALL, as_yaml, changed


def codes(text: bytes, *, is_json: bool = False) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.line) for finding in check_alone(read_document(Source(text, is_json=is_json)))]


def test_on_off_yes_and_no_are_text() -> None:
    data = read_written(b"on: {tier: no}\nyes: off\n", is_json=False).data
    assert data == {"on": {"tier": "no"}, "yes": "off"}


def test_numbers_are_whole_and_decimals_stay_as_written() -> None:
    data = read_written(b"[1, -2, 1.5, 1e3, 0x10, 1_000, 09:00, '7', 2026-01-01]", is_json=False).data
    assert data == [1, -2, "1.5", "1e3", "0x10", "1_000", "09:00", "7", "2026-01-01"]


def test_truth_and_nothing_are_those_of_json() -> None:
    assert read_written(b"[true, false, null, ~, ]", is_json=False).data == [True, False, None, None]


def test_yaml_and_json_say_the_same() -> None:
    from_yaml = read_document(Source(as_yaml(SMALL)))
    from_json = read_document(Source(json.dumps(SMALL).encode(), is_json=True))
    assert from_yaml.canonical() == from_json.canonical()


def test_a_decimal_factor_is_exact_with_and_without_quotes() -> None:
    plain = read_document(Source(as_yaml(changed("earning.rules.0.tier_factor", {"gold": 1.5}))))
    assert plain.canonical() == read_document(Source(as_yaml(SMALL))).canonical()


def test_a_mistake_names_its_line() -> None:
    lines = EXAMPLE.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if "cap: {points: 60" in line)
    lines[number] = "      cap: {points: 6, per: month}"
    assert codes("\n".join(lines).encode()) == [("cap_below_award", number + 1)]


def test_what_is_missing_is_named_by_the_line_around_it() -> None:
    text = as_yaml(SMALL).replace(b"  currency", b"currency").replace(b"currency: CNY\n", b"")
    assert codes(text) == [("missing", 1)]


def test_a_key_given_twice_is_refused() -> None:
    assert codes(b"a: 1\nb: {c: 1, c: 2}\na: 3\n") == [("duplicate_key", 2), ("duplicate_key", 3)]
    assert codes(b'{"a": 1, "a": 2}', is_json=True) == [("duplicate_key", None)]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        pytest.param(b"a: &x [1]\nb: *x\n", "not_plain", 1, id="an anchor"),
        pytest.param(b"a: 1\nb: !!python/object/apply:os.system [ls]\n", "not_plain", 2, id="a tag"),
        pytest.param(b"a: 1\n---\nb: 2\n", "second_document", 2, id="two documents"),
        pytest.param(b"a: [1\n", "not_yaml", 2, id="an open bracket"),
        pytest.param(b"a: 1\n\tb: 2\n", "not_yaml", 2, id="a tab"),
        pytest.param(b"[1, 2]: x\n", "key_not_text", 1, id="a list for a key"),
        pytest.param(b"", "empty", None, id="nothing"),
        pytest.param(b"# only words\n", "empty", None, id="only a comment"),
        pytest.param(b"a: 1\nb: \xff\n", "not_utf8", 2, id="another encoding"),
        pytest.param(b"a: \x01\n", "not_yaml", None, id="a control character"),
        pytest.param(b"- 1\n", "not_a_mapping", 1, id="a list"),
        pytest.param(b"just text", "not_a_mapping", 1, id="a text"),
        pytest.param(b"[" * 100_000, "too_deep", 1, id="deeper than anybody writes"),
        pytest.param(b"a: [" + b"1," * 200_000 + b"]", "too_deep", 1, id="more parts than anybody writes"),
        pytest.param(b" " * (BYTES_MAX + 1), "too_large", None, id="larger than a programme is"),
    ],
)
def test_what_is_no_programme_file_is_refused(text: bytes, code: str, line: int | None) -> None:
    assert codes(text) == [(code, line)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"{", id="an open brace"),
        pytest.param(b'{"a": NaN}', id="no number"),
        pytest.param(b'{"a": ' + b"[" * 100_000, id="deep"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="a number longer than any"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    ((code, _),) = codes(text, is_json=True)
    assert code == "not_json"


def test_levels_up_to_the_limit_are_read() -> None:
    assert read_written(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX, is_json=False).findings == []


def test_a_byte_order_mark_does_no_harm() -> None:
    assert check_alone(read_document(Source(b"\xef\xbb\xbf" + EXAMPLE.read_bytes()))) == ()
