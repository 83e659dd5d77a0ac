"""What the documents name exists: settings, commands, targets, files."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer.main
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from services.ops.__main__ import build
from services.runtime.settings import PORTS, ServiceSettings

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docs" / "configuration.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_COMMANDS = [ROOT / "README.md", ROOT / "docs" / "runbook.md", CONFIGURATION]
# Given by the program itself, and under the service's own name in the environment.
NOT_BY_ENVIRONMENT = frozenset({"service"})
BY_SERVICE = frozenset({"port", "ops_port"})


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def settings_classes() -> Iterator[type[ServiceSettings]]:
    yield ServiceSettings
    for service in PORTS:
        module = ROOT / "services" / service / "settings.py"
        if module.exists():
            found = vars(import_module(f"services.{service}.settings")).values()
            yield from (each for each in found if isinstance(each, type) and issubclass(each, ServiceSettings))


def fields() -> dict[str, FieldInfo]:
    return {name: field for each in settings_classes() for name, field in each.model_fields.items()}


def variable(field: str) -> str:
    return f"LOYALTY_{'<SERVICE>_' if field in BY_SERVICE else ''}{field.upper()}"


def documented() -> dict[str, str]:
    """The rows of the tables, by the variable in their first column."""
    rows = re.findall(r"^\| `(LOYALTY_[A-Z_<>]+)` \|(.*)$", CONFIGURATION.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("field", sorted(fields().keys() - NOT_BY_ENVIRONMENT))
def test_every_setting_is_documented(field: str) -> None:
    assert variable(field) in documented()


@pytest.mark.parametrize("field", sorted(fields().keys() - NOT_BY_ENVIRONMENT - BY_SERVICE))
def test_a_documented_default_is_the_default(field: str) -> None:
    default = fields()[field].default
    if isinstance(default, str | int | float) and not isinstance(default, bool):
        spelled = f"{default:g}" if isinstance(default, float) else str(default)
        assert f" {spelled} " in documented()[variable(field)].replace("`", " ")


def test_every_documented_setting_exists() -> None:
    of_the_command = {"LOYALTY_KEY", "LOYALTY_<SERVICE>_URL"}
    assert documented().keys() - of_the_command <= {variable(name) for name in fields()}


def spoken_commands(document: Path) -> set[tuple[str, ...]]:
    """Every `loyalty …` in a code span or block, up to the first word that is no command."""
    text = document.read_text()
    code = re.findall(r"`(loyalty [^`\n]+)`", text) + re.findall(r"^(loyalty .+)$", text, re.MULTILINE)
    return {tuple(re.findall(r"^loyalty((?: [a-z][a-z-]*)+)", line)[0].split()) for line in code}


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=relative)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    said = spoken_commands(document)
    assert said
    for words in said:
        command = typer.main.get_command(build())
        assert isinstance(command, TyperGroup)
        for word in words:
            assert word in command.commands, f"loyalty {' '.join(words)}"
            command = command.commands[word]
            if not isinstance(command, TyperGroup):
                break


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test", "up"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_of_a_document_leads_to_a_file(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing
