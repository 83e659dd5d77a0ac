"""What the house wants of its code and no other tool knows."""

import ast
import io
import re
import statistics
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

import pytest

from services.runtime.telemetry.metrics import MetricName

ROOT = Path(__file__).parents[2]
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 10
MODULE_LINES_MAX = 300
COMMENT_SHARE = (0.01, 0.05)
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc", "base_classes"})
LOADED_BY_PLACE = re.compile(
    r".*\.__main__|.*migrations\.versions\.\w+|.*\.alembic_env\.env|services\.ops\.commands\.\w+"
)
"""Entry points, what alembic runs, and the commands of `loyalty`."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def comments(self) -> Iterator[tokenize.TokenInfo]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return (token for token in tokens if token.type == tokenize.COMMENT)

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imported(self) -> Iterator[str]:
        """Every dotted name that might be a module: `from a import b` gives a and a.b."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def modules(*roots: str) -> list[Module]:
    return [Module(file) for root in roots for file in sorted((ROOT / root).rglob("*.py"))]


SOURCE = modules("services", "schemas")
TESTS = modules("tests")
DOMAINS = [module for module in SOURCE if ".domain" in module.name]
COMMITTING = "services.runtime."


def places(found: Iterable[tuple[Module, int]]) -> list[str]:
    return [f"{module.path.relative_to(ROOT)}:{line}" for module, line in found]


def test_no_function_is_longer_than_a_screen() -> None:
    long = ((each, it.lineno) for each in SOURCE + TESTS for it in each.functions() if _length(it) > FUNCTION_LINES_MAX)
    assert places(long) == []


def test_most_functions_are_a_few_lines() -> None:
    lengths = [_length(function) for module in SOURCE for function in module.functions()]
    assert statistics.median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


def test_no_module_is_longer_than_its_reader_can_hold() -> None:
    assert places((each, each.lines) for each in SOURCE + TESTS if each.lines >= MODULE_LINES_MAX) == []


def test_a_domain_counts_in_whole_numbers() -> None:
    assert places((each, line) for each in DOMAINS for line in _floats(each)) == []


def test_only_the_runtime_commits() -> None:
    committing = (each for each in SOURCE if not each.name.startswith(COMMITTING))
    assert places((each, it.lineno) for each in committing for it in each.calls() if _called(it) == "commit") == []


def test_an_application_knows_of_the_runtime_only_its_ports_and_errors() -> None:
    allowed = ("services.runtime.ports", "services.runtime.errors")
    applications = (each for each in SOURCE if ".application" in each.name)
    assert [
        (each.name, name)
        for each in applications
        for name in each.imported()
        if name.startswith("services.runtime") and not name.startswith(allowed)
    ] == []


def test_a_module_is_named_by_a_noun_of_its_own() -> None:
    assert places((each, 1) for each in SOURCE + TESTS if each.path.stem in VAGUE_NAMES) == []


def test_types_are_never_waved_through() -> None:
    waved = re.compile(r"#\s*type:\s*ignore")
    assert places((each, it.start[0]) for each in SOURCE for it in each.comments() if waved.match(it.string)) == []


def test_nothing_is_printed_behind_the_log() -> None:
    assert places((each, it.lineno) for each in SOURCE for it in each.calls() if _is_print(it)) == []


def test_no_failure_is_passed_over() -> None:
    assert places((each, line) for each in SOURCE + TESTS for line in _swallowed(each)) == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert (
        places((each, it.start[0]) for each in SOURCE + TESTS for it in each.comments() if later.search(it.string))
        == []
    )


def test_every_module_is_used() -> None:
    used = {name for each in SOURCE for name in each.imported()} | _named_elsewhere()
    unused = (each for each in SOURCE if each.path.name not in {"__init__.py"} | used and each.name not in used)
    assert [each.name for each in unused if not LOADED_BY_PLACE.fullmatch(each.name)] == []


def test_every_test_support_module_is_used() -> None:
    used = {name for each in TESTS for name in each.imported()}
    support = (each for each in TESTS if each.name.startswith("tests.support.") and each.path.name != "__init__.py")
    assert [each.name for each in support if each.name not in used and f'"{each.name}"' not in _all_tests()] == []


def test_no_metric_is_meant_that_is_not_declared() -> None:
    declared = set(get_args(MetricName))
    named = re.compile(r"\bloyalty_(?:consumer|outbox|relay|http|outcomes|job|halted)\w*")
    meant = {(each.name, name) for each in SOURCE for name in _texts(each) if named.fullmatch(name)}
    meant |= {(str(file.relative_to(ROOT)), name) for file in _deployed() for name in named.findall(file.read_text())}
    assert {(where, name) for where, name in meant if _without_suffix(name, declared) not in declared} == set()


def test_comments_are_few() -> None:
    low, high = COMMENT_SHARE
    written = sum(1 for each in SOURCE for line in each.text.splitlines() if line.strip())
    share = sum(1 for each in SOURCE for _ in each.comments()) / written
    assert low <= share <= high


@pytest.mark.parametrize("pattern", ["requirements/*.txt", "deploy/**/*", "pyproject.toml", "Makefile", ".ci/*"])
def test_no_file_names_a_machine_or_a_registry(pattern: str) -> None:
    elsewhere = re.compile(
        r"(?<![\w$}])/(?:home|root|Users|work|private|mnt)/|(?:(?<!no-emit-)index-url|--find-links|https?://[^\s\"<]*)"
    )
    allowed = re.compile(r"https?://(?:127\.0\.0\.1|localhost|maven\.apache\.org/(?:POM|xsd)/|www\.w3\.org/)")
    found = [
        (str(file.relative_to(ROOT)), hit)
        for file in sorted(ROOT.glob(pattern))
        if file.is_file()
        for hit in elsewhere.findall(file.read_text())
        if not allowed.match(hit)
    ]
    assert found == []


def _length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def _floats(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        match node:
            case ast.Constant(value=float()) | ast.Name(id="float"):
                yield node.lineno
            case ast.BinOp(op=ast.Div()) if "fractions.Fraction" not in module.imported():
                yield node.lineno


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _is_print(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("print", "breakpoint", "pprint")


def _swallowed(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        match node:
            case ast.ExceptHandler(type=None | ast.Name(id="Exception" | "BaseException"), body=[ast.Pass()]):
                yield node.lineno


def _texts(module: Module) -> Iterator[str]:
    return (it.value for it in ast.walk(module.tree) if isinstance(it, ast.Constant) and isinstance(it.value, str))


def _named_elsewhere() -> set[str]:
    """Modules and files that a string names: a process started with `-m`, a script of the project."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    texts = " ".join(text for each in SOURCE for text in _texts(each)) + " ".join(scripts.values())
    texts += (ROOT / "Makefile").read_text()
    return set(re.findall(r"\b(?:services|schemas)(?:\.\w+)+|\b\w+\.py\b", texts))


def _all_tests() -> str:
    return "\n".join(each.text for each in TESTS)


def _deployed() -> list[Path]:
    return [file for file in (ROOT / "deploy").rglob("*") if file.suffix in (".json", ".yaml", ".yml")]


def _without_suffix(name: str, declared: set[str]) -> str:
    return name if name in declared else re.sub(r"_(bucket|count|sum)$", "", name)
