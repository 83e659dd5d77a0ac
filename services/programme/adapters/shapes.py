"""What pydantic says about a programme's shape, in words for its author."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from services.programme.domain.findings import Finding, Path, error

_MISSING = "missing"
_REMEDIES = {
    _MISSING: ("missing", "add it"),
    "extra_forbidden": ("unknown_field", "correct the name or remove it"),
    "int_type": ("not_a_whole_number", "write a whole number without quotes; money is in minor units, points in steps"),
    "greater_than_equal": ("out_of_range", "use a number within the limit"),
    "less_than_equal": ("out_of_range", "use a number within the limit"),
    "literal_error": ("not_a_choice", "use one of these words"),
    "timezone_aware": ("no_offset", "add the offset, for example 2026-01-01T00:00:00+08:00"),
    "too_short": ("too_few", "add at least one"),
    "too_long": ("too_many", "leave some out"),
    "string_pattern_mismatch": ("not_the_form", "write it in the form that the message shows"),
}
# What the contract refuses by itself has a code of its own there.
_GENERAL = frozenset(get_args(ErrorType))


def shape_findings(fault: ValidationError, data: Any) -> Iterator[Finding]:
    """One finding for each place: where several shapes are allowed, what each of them lacks is said together."""
    places: dict[Path, list[ErrorDetails]] = {}
    for detail in fault.errors(include_url=False, include_context=False):
        places.setdefault(_place(detail["loc"], data, detail["type"] == _MISSING), []).append(detail)
    for path, details in places.items():
        yield _finding(path, details)


def _finding(path: Path, details: Sequence[ErrorDetails]) -> Finding:
    kind = details[0]["type"]
    message = "; or: ".join(dict.fromkeys(_sentence(path, detail) for detail in details))
    code, remedy = _REMEDIES.get(kind, ("not_valid" if kind in _GENERAL else kind, "correct the value"))
    return error(path, code if len(details) == 1 else "not_valid", message, remedy)


def _sentence(path: Path, detail: ErrorDetails) -> str:
    name = path[-1] if path else "the document"
    match detail["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden":
            return f"{name} is no field of a programme"
        case "too_short":
            return f"{name} has too few entries"
        case "too_long":
            return f"{name} has too many entries"
        case _:
            return detail["msg"].removeprefix("Value error, ")


def _place(location: Sequence[str | int], data: Any, is_missing: bool) -> Path:
    """The location without the segments in which pydantic names a branch of a union or the key of a mapping."""
    path: list[str | int] = []
    here = data
    for index, segment in enumerate(location):
        if _has(here, segment):
            here = here[segment]
        # What is missing has no place in the data, but its name is what the author must add.
        elif not (is_missing and index == len(location) - 1):
            continue
        path.append(segment)
    return tuple(path)


def _has(data: Any, segment: str | int) -> bool:
    if isinstance(data, Mapping):
        return segment in data
    return isinstance(data, list) and isinstance(segment, int) and segment < len(data)
