"""What the comparison calls compatible is: no message that one schema allows is refused by the other."""

from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.compatibility import READERS, WRITTEN, breaks

NAMES = ("a", "b", "c")
WORDS = ("x", "y", "zz")
Schema = dict[str, Any]


@st.composite
def limited(draw: st.DrawFn, kind: str, lower: str, upper: str) -> Schema:
    low, high = draw(st.none() | st.integers(0, 2)), draw(st.none() | st.integers(2, 4))
    limits = {name: value for name, value in ((lower, low), (upper, high)) if value is not None}
    return {"type": kind, **limits}


def lists_of(items: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.builds(lambda limits, item: {**limits, "items": item}, limited("array", "minItems", "maxItems"), items)


@st.composite
def objects_of(draw: st.DrawFn, fields: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), fields, max_size=3))
    required = [name for name in properties if draw(st.booleans())]
    closed = {"additionalProperties": False} if draw(st.booleans()) else {}
    return {"type": "object", "properties": properties, "required": required, **closed}


SCALARS = st.one_of(
    limited("integer", "minimum", "maximum"),
    limited("string", "minLength", "maxLength"),
    st.lists(st.sampled_from(WORDS), min_size=1, unique=True).map(lambda words: {"type": "string", "enum": words}),
    st.just({"type": "null"}),
)
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        lists_of(inner),
        objects_of(inner),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=5,
)


@st.composite
def revised(draw: st.DrawFn, schema: Schema) -> Schema:
    """The next version of a schema: much stays, something may be another."""
    if draw(st.integers(0, 5)) == 0:
        return draw(SCHEMAS)
    revision = dict(schema)
    if "items" in schema:
        revision["items"] = draw(revised(schema["items"]))
    if "properties" in schema:
        kept = {name: draw(revised(each)) for name, each in schema["properties"].items() if draw(st.integers(0, 9))}
        added = {name: draw(SCALARS) for name in NAMES if name not in kept and draw(st.integers(0, 3)) == 0}
        revision["properties"] = kept | added
        revision["required"] = [name for name in schema["required"] if name in kept and draw(st.integers(0, 9))]
    if "anyOf" in schema:
        revision["anyOf"] = [draw(revised(each)) for each in draw(st.permutations(schema["anyOf"]))]
    for limit in ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"):
        if limit in schema and draw(st.integers(0, 3)) == 0:
            revision[limit] = draw(st.integers(0, 4))
    return revision


@st.composite
def messages(draw: st.DrawFn, schema: Schema) -> Any:
    """What a writer of this schema writes: no field that it does not know."""
    if "anyOf" in schema:
        return draw(messages(draw(st.sampled_from(schema["anyOf"]))))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    match schema["type"]:
        case "integer":
            return draw(st.integers(schema.get("minimum", -2), schema.get("maximum", 6)))
        case "string":
            return draw(st.text("xyz", min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 6)))
        case "array":
            least, most = schema.get("minItems", 0), schema.get("maxItems", 5)
            return draw(st.lists(messages(schema["items"]), min_size=least, max_size=most))
        case "object":
            fields = schema["properties"]
            written = [name for name in fields if name in schema["required"] or draw(st.booleans())]
            return {name: draw(messages(fields[name])) for name in written}
    return None


@given(st.data())
def test_what_was_written_can_be_read_unless_the_comparison_says_so(data: st.DataObject) -> None:
    released = data.draw(SCHEMAS)
    current = data.draw(revised(released))
    is_safe = WRITTEN not in {each.whom for each in breaks(released, current)}
    event("safe" if is_safe else "not safe")
    assume(is_safe)
    message = data.draw(messages(released))
    assert Draft202012Validator(released).is_valid(message)
    assert Draft202012Validator(current).is_valid(message)


@given(st.data())
def test_older_readers_read_what_is_written_now_unless_the_comparison_says_so(data: st.DataObject) -> None:
    released = data.draw(SCHEMAS)
    current = data.draw(revised(released))
    assume(_is_satisfiable(current) and READERS not in {each.whom for each in breaks(released, current)})
    message = data.draw(messages(current))
    assert Draft202012Validator(released).is_valid(message)


@given(SCHEMAS)
def test_a_schema_is_compatible_with_itself(schema: Schema) -> None:
    assert breaks(schema, schema) == []


def _is_satisfiable(schema: Schema) -> bool:
    """Whether no lower limit that a revision has drawn lies above its upper one."""
    pairs = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))
    inner = [*schema.get("anyOf", ()), *schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]
    return all(schema.get(low, 0) <= schema.get(high, 9) for low, high in pairs) and all(map(_is_satisfiable, inner))
