"""`loyalty import` at the terminal, with nothing but files."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.ops.__main__ import build
from services.ops.importing.columns import TABLES
from tests.support.checkouts import SALE
from tests.support.imports import FIRST, OTHER, SECOND, table


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loyalty(*arguments: str, **options: str) -> Result:
    return CliRunner().invoke(build(), ["import", *arguments], env={"LOYALTY_KEY": "", "COLUMNS": "200"} | options)


def test_a_rehearsal_counts_what_is_fit_and_keeps_the_rest_with_reasons_for_its_owner_alone(tmp_path: Path) -> None:
    damaged = OTHER.replace("1450,82", "14.50,82")
    file = table(tmp_path, FIRST, SECOND, damaged, OTHER.replace("1842", "1843").replace(",card,1450", ",card,1451"))
    result = loyalty("checkouts", str(file), "--dry-run", "--rejects", "rejects.ndjson", "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert (summary["counts"], summary["files"][0]["finished"]) == ({"valid": 1, "rejected": 2}, True)
    assert "table.csv:4: decimal_amount at /lines/0/net: amounts are whole minor units" in result.stderr
    first, second = (json.loads(line) for line in Path("rejects.ndjson").read_text().splitlines())
    assert (first["row"], first["errors"][0]["pointer"]) == (4, "/lines/0/net")
    assert first["record"]["lines"][0]["net"] == "14.50"
    assert (second["row"], second["errors"][0]["code"]) == (5, "totals_mismatch")
    assert os.stat("rejects.ndjson").st_mode & 0o777 == 0o600
    assert not Path(".loyalty").exists()


def test_what_was_rejected_can_be_mended_and_read_again(tmp_path: Path) -> None:
    file = table(tmp_path, OTHER.replace("card,1450", "card,1451"))
    loyalty("checkouts", str(file), "--dry-run", "--rejects", "rejects.ndjson")
    record = json.loads(Path("rejects.ndjson").read_text())["record"]
    record["tenders"][0]["amount"] = 1450
    Path("mended.ndjson").write_text(json.dumps(record))
    assert loyalty("checkouts", "mended.ndjson", "--dry-run").exit_code == 0


def test_fields_that_the_contract_does_not_know_are_counted() -> None:
    Path("sales.ndjson").write_text(json.dumps(SALE | {"weather": "fine", "cashier": "Ann"}))
    result = loyalty("checkouts", "sales.ndjson", "--dry-run", "--json")
    assert json.loads(result.stdout)["unknown_fields"] == 2


def test_every_fault_of_a_member_has_its_place_and_nobody_without_identity_is_taken() -> None:
    members = [
        {"identities": [{"kind": "card", "value": "0880"}]},
        {"identities": [{"kind": "phone", "value": "12"}], "birthday": {"month": 2, "day": 30}},
        {"name": "Li"},
        {"identities": [{"kind": "card", "value": "0881"}], "nmae": "Li"},
    ]
    Path("members.ndjson").write_text("\n".join(map(json.dumps, members)))
    result = loyalty("members", "members.ndjson", "--dry-run", "--rejects", "rejects.ndjson")
    assert result.exit_code == 1
    entries = [json.loads(line) for line in Path("rejects.ndjson").read_text().splitlines()]
    assert [(each["row"], error["pointer"], error["code"]) for each in entries for error in each["errors"]] == [
        (2, "/identities/0/value", "identity_invalid"),
        (2, "/birthday/day", "no_such_day"),
        (3, "/identities", "identity_missing"),
        (4, "/nmae", "extra_forbidden"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["checkouts", "missing.csv"], "missing.csv cannot be used: No such file or directory"),
        (["checkouts", "-"], "say what it is with --format"),
        (["checkouts", "-", "--format", "parquet"], "Parquet is read from its end"),
        (["checkouts", "a.ndjson", "--encoding", "gb18030"], "--delimiter and --encoding are for CSV"),
        (["checkouts", "a.ndjson", "--amounts", "decimal"], "are for tables"),
        (["checkouts", "a.csv", "--time-zone", "Shanghai"], "there is no time zone Shanghai"),
        (["checkouts", "a.csv", "./a.csv"], "named twice"),
        (["checkouts", "a.csv", "--rejects", "a.csv"], "is one of the files to import"),
        (["checkouts", "a.csv", "--delimiter", "::"], "a delimiter is one character"),
        (["checkouts", "a.csv", "--encoding", "utf-16"], "save the file as UTF-8"),
        (["checkouts", "a.csv", "--encoding", "klingon"], "there is no encoding klingon"),
        (["members", "a.csv"], "give an API key"),
        (["checkouts", "a.csv", "--resume", "--dry-run"], "columns are missing"),
        (["checkouts", "a.csv", "--map", "octal.yaml"], "constants.store: must be text: put it in quotation marks"),
        (["checkouts", "a.csv", "--map", "odd.yaml"], "a map has columns, constants and values"),
    ],
)
def test_wrong_use_is_told_in_one_line_and_ends_with_two(arguments: list[str], said: str) -> None:
    Path("a.csv").write_text("sku\n")
    Path("a.ndjson").write_text("{}\n")
    Path("octal.yaml").write_text("constants: {store: 0457}")
    Path("odd.yaml").write_text("colums: {}")
    result = loyalty(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_a_file_in_which_nothing_is_fit_is_given_up(tmp_path: Path) -> None:
    Path("sales.ndjson").write_text("no checkout\n" * 5_000)
    result = loyalty("checkouts", "sales.ndjson", "--dry-run", "--json")
    assert (result.exit_code, json.loads(result.stdout)["files"][0]["finished"]) == (2, False)
    assert "is it another format" in result.stderr


def test_the_help_names_every_column() -> None:
    text = " ".join(loyalty("--help").stdout.replace("│", " ").split())
    assert [name for table in TABLES.values() for name in table if name not in text] == []
    assert "Members and activities go over HTTP" in text
