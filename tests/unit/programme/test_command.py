"""`loyalty programme` at the terminal, without a service."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.ops.__main__ import build
from tests.support.programmes import EXAMPLE, SMALL, as_yaml, changed


def loyalty(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(build(), ["programme", *arguments], env=environment)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_bytes(as_yaml(changed("currency", "CNX")))
    return file


def test_a_file_without_mistakes_is_fine() -> None:
    result = loyalty("check", str(EXAMPLE))
    assert result.exit_code == 0
    assert result.stdout == f"{EXAMPLE}: nothing to complain about\n"


def test_a_mistake_is_shown_with_file_line_and_what_to_do(wrong: Path) -> None:
    result = loyalty("check", str(wrong))
    assert result.exit_code == 1
    first, second, last = result.stdout.splitlines()
    assert first == f"{wrong}:5: error unknown_currency at currency: CNX is no currency of ISO 4217"
    assert second == "    → write its three letters, for example CNY"
    assert last == f"{wrong}: 1 errors, 0 warnings"


def test_programs_read_the_findings_as_json(wrong: Path) -> None:
    result = loyalty("check", str(wrong), "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["publishable"] is False
    assert [(each["code"], each["line"]) for each in document["findings"]] == [("unknown_currency", 5)]


def test_a_warning_alone_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "odd.json"
    file.write_text(json.dumps(SMALL | {"campaigns": []}))
    result = loyalty("check", str(file))
    assert result.exit_code == 0
    assert "warning template_unused at templates.hello" in result.stdout


def test_a_file_that_is_not_there_is_misuse(tmp_path: Path) -> None:
    result = loyalty("check", str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_publishing_without_a_key_is_misuse() -> None:
    result = loyalty("publish", str(EXAMPLE), LOYALTY_KEY="")
    assert result.exit_code == 2
    assert "LOYALTY_KEY" in result.stderr


def test_help_shows_an_example() -> None:
    assert "Example: loyalty programme publish rules.yaml --replaces 3" in loyalty("publish", "--help").stdout
