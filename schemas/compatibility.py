"""What may become of a released JSON Schema: which changes break whom, in the vocabulary that our models generate."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
Whom = Literal["what was written before", "older readers"]
WRITTEN: Whom = "what was written before"
READERS: Whom = "older readers"

_FOR_PEOPLE = frozenset({"$schema", "$id", "$defs", "$ref", "title", "description", "examples", "discriminator"})
_SEEN_TO = frozenset({"default", "type", "enum", "const"})
_LOWER_LIMITS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER_LIMITS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_NOTHING: Schema = {"enum": []}


@dataclass(frozen=True, slots=True)
class Break:
    """`what` changed at `pointer` into a message, where `*` is any item or name; `whom` does it break?"""

    pointer: str
    what: str
    whom: Whom

    def __str__(self) -> str:
        cannot = "cannot be read any more" if self.whom == WRITTEN else "cannot read what may be written now"
        return f"{self.pointer or '/'} {self.what}: {self.whom} {cannot}"


def breaks(released: Schema, current: Schema) -> list[Break]:
    """All that differs but new optional fields and words for people; none = compatible.

    A keyword that is not known here breaks both when it differs: better asked about than let pass.
    """
    definitions = released.get("$defs", {}), current.get("$defs", {})
    found = _Comparison(definitions, set()).schemas("", released, current)
    return sorted(set(found), key=lambda each: (each.pointer, each.what, each.whom))


@dataclass(frozen=True, slots=True)
class _Comparison:
    definitions: tuple[Schema, Schema]
    under_way: set[tuple[str, str]]

    def schemas(self, at: str, old: Any, new: Any) -> list[Break]:
        names = _reference(old), _reference(new)
        # A model may contain itself.
        if names in self.under_way:
            return []
        entered = {names} if all(names) else set()
        self.under_way.update(entered)
        found = list(self._resolved(at, self._whole(old, 0), self._whole(new, 1)))
        self.under_way.difference_update(entered)
        return found

    def _whole(self, schema: Any, side: int) -> Schema:
        if isinstance(schema, bool):
            return {} if schema else _NOTHING
        name = _reference(schema)
        return {**self._whole(self.definitions[side][name], side), **schema} if name else schema

    def _resolved(self, at: str, old: Schema, new: Schema) -> Iterator[Break]:
        if _shown(old, "default") != _shown(new, "default"):
            yield Break(at, _was_and_is("default", old, new), WRITTEN)
        before, after = _alternatives(old), _alternatives(new)
        if len(before) > 1 or len(after) > 1:
            yield from self._branches(at, before, after)
            return
        yield from _types(at, old, new)
        yield from _listed_values(at, old, new)
        for keyword in sorted((old.keys() | new.keys()) - _FOR_PEOPLE - _SEEN_TO):
            yield from self._keyword(at, keyword, old, new)

    def _keyword(self, at: str, keyword: str, old: Schema, new: Schema) -> Iterator[Break]:
        match keyword:
            case "properties":
                yield from self._properties(at, old, new)
            case "required":
                yield from _required(at, old, new)
            case "items" | "additionalProperties" | "propertyNames":
                yield from self.schemas(f"{at}/*", old.get(keyword, True), new.get(keyword, True))
            case "prefixItems":
                pairs = zip_longest(old.get(keyword, ()), new.get(keyword, ()), fillvalue=True)
                for position, pair in enumerate(pairs):
                    yield from self.schemas(f"{at}/{position}", *pair)
            case "patternProperties" if old.get(keyword, {}).keys() == new.get(keyword, {}).keys():
                for pattern in old[keyword]:
                    yield from self.schemas(f"{at}/*", old[keyword][pattern], new[keyword][pattern])
            case _:
                yield from _plain(at, keyword, old, new)

    def _properties(self, at: str, old: Schema, new: Schema) -> Iterator[Break]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before.keys() - after.keys():
            yield Break(f"{at}/{name}", "is gone", WRITTEN)
        for name in before.keys() & after.keys():
            yield from self.schemas(f"{at}/{name}", before[name], after[name])
        if old.get("additionalProperties") is False:
            for name in after.keys() - before.keys():
                yield Break(f"{at}/{name}", "is new where unknown fields are refused", READERS)

    def _branches(self, at: str, old: Sequence[Schema], new: Sequence[Schema]) -> Iterator[Break]:
        """Which alternative has no counterpart; where they pair off, what exactly is amiss between the two."""
        lost = [each for each in old if all(self._is_broken(each, other, WRITTEN) for other in new)]
        added = [each for each in new if all(self._is_broken(other, each, READERS) for other in old)]
        if (lost or added) and len(old) == len(new):
            for pair in zip(old, new, strict=True):
                yield from self.schemas(at, *pair)
            return
        for each in lost:
            yield Break(at, f"is never {_named(each)} any more", WRITTEN)
        for each in added:
            yield Break(at, f"may be {_named(each)} now", READERS)

    def _is_broken(self, old: Schema, new: Schema, whom: Whom) -> bool:
        return any(change.whom == whom for change in self.schemas("", old, new))


def _alternatives(schema: Schema) -> Sequence[Schema]:
    listed = schema.get("anyOf") or schema.get("oneOf")
    if not listed:
        return [schema]
    beside = {name: value for name, value in schema.items() if name not in _FOR_PEOPLE | {"anyOf", "oneOf", "default"}}
    return [{**beside, **each} for each in listed]


def _required(at: str, old: Schema, new: Schema) -> Iterator[Break]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in after - before:
        yield Break(f"{at}/{name}", "is required now", WRITTEN)
    for name in before - after:
        yield Break(f"{at}/{name}", "may be left out now", READERS)


def _types(at: str, old: Schema, new: Schema) -> Iterator[Break]:
    before, after = _type_names(old), _type_names(new)
    for name in sorted(before - after):
        yield Break(at, f"is never of type {name} any more", WRITTEN)
    for name in sorted(after - before):
        yield Break(at, f"may be of type {name} now", READERS)


def _type_names(schema: Schema) -> set[str]:
    named = schema.get("type", ["null", "boolean", "number", "string", "array", "object"])
    names = {named} if isinstance(named, str) else set(named)
    return names | {"integer"} if "number" in names else names


def _listed_values(at: str, old: Schema, new: Schema) -> Iterator[Break]:
    before, after = _texts(old), _texts(new)
    if before is not None and after is not None:
        for value in sorted(before - after):
            yield Break(at, f"is never {value} any more", WRITTEN)
        for value in sorted(after - before):
            yield Break(at, f"may be {value} now", READERS)
    elif before is not None:
        yield Break(at, "has no list of values any more", READERS)
    elif after is not None:
        yield Break(at, "has a list of values now", WRITTEN)


def _texts(schema: Schema) -> set[str] | None:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    # As text, for in Python true equals 1.
    return None if values is None else {_text(value) for value in values}


def _plain(at: str, keyword: str, old: Schema, new: Schema) -> Iterator[Break]:
    before, after, what = old.get(keyword), new.get(keyword), _was_and_is(keyword, old, new)
    if before == after:
        return
    is_comparable = keyword in _LOWER_LIMITS | _UPPER_LIMITS and None not in (before, after)
    if before is None or (is_comparable and (after > before) == (keyword in _LOWER_LIMITS)):
        yield Break(at, what, WRITTEN)
    elif after is None or is_comparable:
        yield Break(at, what, READERS)
    else:
        yield from (Break(at, what, whom) for whom in (WRITTEN, READERS))


def _was_and_is(keyword: str, old: Schema, new: Schema) -> str:
    return f"had {keyword} {_shown(old, keyword)} and has {_shown(new, keyword)}"


def _shown(schema: Schema, keyword: str) -> str:
    return _text(schema[keyword]) if keyword in schema else "none"


def _named(schema: Schema) -> str:
    return schema.get("title") or _reference(schema) or str(schema.get("type") or schema.get("const") or "as it is")


def _reference(schema: Any) -> str:
    return schema.get("$ref", "").removeprefix("#/$defs/") if isinstance(schema, Mapping) else ""


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
