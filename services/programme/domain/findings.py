"""What is wrong or odd in a programme, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is an instruction to the author of the file; `line` counts from 1, None where it is not known."""

    severity: Severity
    path: Path
    code: str
    message: str
    remedy: str
    line: int | None = None


def error(path: Path, code: str, message: str, remedy: str) -> Finding:
    return Finding("error", path, code, message, remedy)


def warning(path: Path, code: str, message: str, remedy: str) -> Finding:
    return Finding("warning", path, code, message, remedy)


def is_publishable(findings: Iterable[Finding]) -> bool:
    return all(finding.severity != "error" for finding in findings)


def spelled(path: Path) -> str:
    """`("earning", "rules", 1, "cap")` → `earning.rules[1].cap`; the whole document is `.`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "."


def pointer(path: Path) -> str:
    """The same place as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
