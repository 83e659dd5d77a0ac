"""What may change about a released schema, case by case."""

from typing import Any

import pytest

from schemas.compatibility import READERS, WRITTEN, breaks

TEXT = {"type": "string"}
LEVEL = {"type": "object", "properties": {"id": TEXT}, "required": ["id"]}
RELEASED: dict[str, Any] = {
    "type": "object",
    "title": "Sale",
    "description": "What was sold.",
    "required": ["kind", "net"],
    "properties": {
        "kind": {"type": "string", "enum": ["sale", "return"]},
        "net": {"type": "integer", "minimum": 0, "maximum": 100},
        "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None},
        "store": {"type": "string", "pattern": "^[a-z]+$"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "maxItems": 5},
        "pair": {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "minItems": 2, "maxItems": 2},
        "spent": {"type": "object", "patternProperties": {"^[a-z]+$": {"type": "integer", "minimum": 1}}},
        "extra": {"type": "object", "additionalProperties": TEXT},
        "strict": {"type": "object", "properties": {"id": TEXT}, "additionalProperties": False},
        "tree": {"$ref": "#/$defs/Tree"},
        "version": {"type": "integer", "const": 1},
        "way": {"oneOf": [LEVEL, {"type": "string", "format": "date"}]},
    },
    "$defs": {
        "Line": {"type": "object", "properties": {"sku": TEXT}, "required": ["sku"]},
        "Tree": {"type": "object", "properties": {"branches": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}},
    },
}
BOTH = {WRITTEN, READERS}
GONE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The released schema with one part set; GONE takes it away."""
    revised: dict[str, Any] = _with(RELEASED, path.split("."), value)
    return revised


def _with(node: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    step: Any = int(path[0]) if isinstance(node, list) else path[0]
    copy = node.copy()
    if len(path) == 1 and value is GONE:
        del copy[step]
    else:
        old = node.get(step) if isinstance(node, dict) else node[step]
        copy[step] = _with(old, path[1:], value)
    return copy


def test_a_schema_breaks_nothing_of_itself() -> None:
    assert breaks(RELEASED, RELEASED) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("properties.added", {"type": "integer", "default": 0}, id="a new optional field"),
        pytest.param(
            "$defs.Line.properties.gtin", {"anyOf": [TEXT, {"type": "null"}], "default": None}, id="further in"
        ),
        pytest.param("description", "Other words.", id="a description"),
        pytest.param("title", "Deal", id="a title"),
        pytest.param("properties.net.examples", [1], id="examples"),
        pytest.param("$defs.Unused", TEXT, id="a definition that nobody uses"),
        pytest.param(
            "properties.lines.items", {"$ref": "#/$defs/Line", "description": "x"}, id="words beside a reference"
        ),
        pytest.param("properties.kind.enum", ["return", "sale"], id="another order of values"),
        pytest.param(
            "properties.note.anyOf", [{"type": "null"}, {"type": "string", "maxLength": 9}], id="of alternatives"
        ),
        pytest.param("required", ["net", "kind"], id="of required fields"),
    ],
)
def test_what_may_change(path: str, value: Any) -> None:
    assert breaks(RELEASED, changed(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value", "whom", "pointer"),
    [
        ("properties.store", GONE, {WRITTEN}, "/store"),
        ("properties.kind", GONE, {WRITTEN}, "/kind"),
        ("required", ["kind"], {READERS}, "/net"),
        ("required", ["kind", "net", "store"], {WRITTEN}, "/store"),
        ("properties.kind.enum", ["sale"], {WRITTEN}, "/kind"),
        ("properties.kind.enum", ["sale", "return", "void"], {READERS}, "/kind"),
        ("properties.kind.enum", GONE, {READERS}, "/kind"),
        ("properties.store.enum", ["a"], {WRITTEN}, "/store"),
        ("properties.version.const", 2, BOTH, "/version"),
        ("properties.version.const", True, BOTH, "/version"),
        ("properties.net.type", "number", {READERS}, "/net"),
        ("properties.net.type", "string", BOTH, "/net"),
        ("properties.net.maximum", 99, {WRITTEN}, "/net"),
        ("properties.net.maximum", 101, {READERS}, "/net"),
        ("properties.net.minimum", 1, {WRITTEN}, "/net"),
        ("properties.net.minimum", -1, {READERS}, "/net"),
        ("properties.net.maximum", GONE, {READERS}, "/net"),
        ("properties.net.exclusiveMinimum", 0, {WRITTEN}, "/net"),
        ("properties.net.multipleOf", 5, {WRITTEN}, "/net"),
        ("properties.store.pattern", "^.*$", BOTH, "/store"),
        ("properties.store.pattern", GONE, {READERS}, "/store"),
        ("properties.store.maxLength", 5, {WRITTEN}, "/store"),
        ("properties.store.default", "a", {WRITTEN}, "/store"),
        ("properties.note.default", GONE, {WRITTEN}, "/note"),
        ("properties.note", {"type": "string", "maxLength": 9, "default": None}, {WRITTEN}, "/note"),
        (
            "properties.store",
            {"anyOf": [{"type": "string", "pattern": "^[a-z]+$"}, {"type": "null"}]},
            {READERS},
            "/store",
        ),
        ("properties.note.anyOf.0.maxLength", 8, {WRITTEN}, "/note"),
        ("properties.note.anyOf.0.maxLength", 10, {READERS}, "/note"),
        ("properties.way.oneOf.0.required", [], {READERS}, "/way/id"),
        ("properties.way.oneOf.1.format", "time", BOTH, "/way"),
        ("$defs.Line.required", [], {READERS}, "/lines/*/sku"),
        ("$defs.Line.properties.sku.maxLength", 9, {WRITTEN}, "/lines/*/sku"),
        ("$defs.Tree.properties.branches.maxItems", 3, {WRITTEN}, "/tree/branches"),
        ("properties.lines.maxItems", 6, {READERS}, "/lines"),
        ("properties.pair.prefixItems.1.minimum", 0, {WRITTEN}, "/pair/1"),
        ("properties.pair.prefixItems", [TEXT], {READERS}, "/pair/1"),
        ("properties.spent.patternProperties", {"^.*$": {"type": "integer", "minimum": 1}}, BOTH, "/spent"),
        ("properties.spent.patternProperties.^[a-z]+$.minimum", 0, {READERS}, "/spent/*"),
        ("properties.extra.additionalProperties", True, {READERS}, "/extra/*"),
        ("properties.extra.propertyNames", {"maxLength": 3}, {WRITTEN}, "/extra/*"),
        ("properties.strict.additionalProperties", GONE, {READERS}, "/strict/*"),
        ("properties.strict.properties.more", TEXT, {READERS}, "/strict/more"),
        ("additionalProperties", False, {WRITTEN}, "/*"),
        ("properties.store.neverHeardOf", 1, {WRITTEN}, "/store"),
    ],
)
def test_what_breaks(path: str, value: Any, whom: set[str], pointer: str) -> None:
    found = breaks(RELEASED, changed(path, value))
    assert {each.pointer for each in found} == {pointer}
    assert {each.whom for each in found} == whom


def test_a_break_is_told_in_words() -> None:
    (narrower,) = breaks(RELEASED, changed("properties.net.maximum", 99))
    (wider,) = breaks(RELEASED, changed("properties.kind.enum", ["sale", "return", "void"]))
    assert str(narrower) == "/net had maximum 100 and has 99: what was written before cannot be read any more"
    assert str(wider) == '/kind may be "void" now: older readers cannot read what may be written now'
