"""Programme files as written: YAML 1.2 or JSON to plain data, with the line of every part."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from services.programme.domain.findings import Finding, Path, error

BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32
PARTS_MAX = 100_000

# The parser in C is ten times as fast, and not every build of the library has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NULLS = frozenset({"", "~", "null"})
_TRUTHS = {"true": True, "false": False}


@dataclass(slots=True)
class Written:
    """Plain data and where it stood; `data` is None when the text could not be read at all."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def line_of(self, path: Path) -> int | None:
        """The line of the part itself, or of the nearest part around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


class UnreadableError(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def read_written(text: bytes, *, is_json: bool) -> Written:
    written = Written()
    try:
        characters = _decoded(text)
        written.data = _from_json(characters, written) if is_json else _YamlParts(characters, written).document()
    except UnreadableError as unreadable:
        written.data = None
        written.findings.append(unreadable.finding)
    return written


def _decoded(text: bytes) -> str:
    if len(text) > BYTES_MAX:
        raise _unreadable("too_large", f"the file is larger than {BYTES_MAX} bytes", "leave out what is no rule")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = text.count(b"\n", 0, fault.start) + 1
        raise _unreadable("not_utf8", "the file is not UTF-8", "save it as UTF-8", line) from fault


def _unreadable(code: str, message: str, remedy: str, line: int | None = None, path: Path = ()) -> UnreadableError:
    found = error(path, code, message, remedy)
    return UnreadableError(Finding("error", path, found.code, found.message, found.remedy, line))


def _from_json(text: str, written: Written) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                written.findings.append(_repeated((name,), None))
            seen[name] = value
        return seen

    try:
        # A decimal stays as written, so that 1.5 is exactly one and a half in either language.
        data = json.loads(text, object_pairs_hook=members, parse_float=str, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except json.JSONDecodeError as fault:
        raise _unreadable("not_json", f"no JSON: {fault.msg}", "mend it here", fault.lineno) from fault
    except (RecursionError, ValueError) as fault:
        raise _unreadable("not_json", "no JSON that a programme could be", "see the example") from fault
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _repeated(path: Path, line: int | None) -> Finding:
    found = error(path, "duplicate_key", f"{path[-1]!r} is given twice here", "keep one of them")
    return Finding("error", path, found.code, found.message, found.remedy, line)


class _YamlParts:
    """Builds plain data from YAML events; with neither aliases nor tags a small file cannot become a large document."""

    def __init__(self, text: str, written: Written) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._written = written
        self._parts = 0

    def document(self) -> Any:
        try:
            return self._only_document()
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            problem = f"no YAML: {fault.problem or fault.context}"
            raise _unreadable("not_yaml", problem, "mend it here", mark.line + 1 if mark else None) from fault
        except yaml.YAMLError as fault:
            raise _unreadable("not_yaml", "the file has characters that YAML forbids", "remove them") from fault

    def _only_document(self) -> Any:
        next(self._events)
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            raise _unreadable("empty", "the file is empty", "see the example programme")
        data = self._part(next(self._events), ())
        next(self._events)
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            line = event.start_mark.line + 1
            raise _unreadable("second_document", "a second document begins", "one programme to a file", line)
        return data

    def _part(self, event: Any, path: Path) -> Any:
        line = event.start_mark.line + 1
        self._written.lines.setdefault(path, line)
        self._parts += 1
        # The depth is bounded here, before Python's own stack would be.
        if self._parts > PARTS_MAX or len(path) > DEPTH_MAX:
            raise _unreadable("too_deep", "the file has too many parts or levels", "leave out what is no rule", line)
        if isinstance(event, yaml.AliasEvent) or event.anchor or _is_tagged(event):
            remedy = "write the value out where it is needed"
            raise _unreadable("not_plain", "anchors, aliases and tags are not read here", remedy, line, path)
        if isinstance(event, yaml.ScalarEvent):
            return _value(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(path)
        return self._mapping(path)

    def _list(self, path: Path) -> list[Any]:
        parts: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            parts.append(self._part(event, (*path, len(parts))))
        return parts

    def _mapping(self, path: Path) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _unreadable("key_not_text", "a key is text", "write name: value", line, path)
            name: str = event.value
            if name in parts:
                self._written.findings.append(_repeated((*path, name), line))
            # The key's line, as a value may begin far below it.
            self._written.lines[(*path, name)] = line
            parts[name] = self._part(next(self._events), (*path, name))
        return parts


def _is_tagged(event: Any) -> bool:
    return event.tag is not None and event.tag != "!"


def _value(event: yaml.ScalarEvent) -> str | int | bool | None:
    """YAML 1.2 without floats: on, off, yes, no and dates are text, and so is 1.5."""
    text: str = event.value
    if event.style:
        return text
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
