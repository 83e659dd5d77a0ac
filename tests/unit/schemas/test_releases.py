"""A release is kept as it was, and the contracts of the code keep what releases promised."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from schemas.base import Contract
from schemas.contracts import CONTRACTS, PublishedContract
from schemas.releases import AlreadyReleased, broken_promises, release, tampered


class Sold(Contract):
    """As it was released."""

    net: int
    kind: Literal["sale"] = "sale"


class SoldWithANote(Sold):
    """With one field more."""

    note: str | None = None


class Bought(Contract):
    """With a field that nobody wrote before, and a value that no older reader knows."""

    net: int
    kind: Literal["sale", "gift"] = "sale"
    till: str = Field(min_length=1)


def contract(model: type[Contract], **changes: Any) -> PublishedContract:
    return PublishedContract("sales.sold.v1", model, ("loyalty.sold.v1",), **changes)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    (tmp_path / "0.1.0").mkdir()
    (tmp_path / "0.1.0" / "sales.sold.v1.schema.json").write_text(contract(Sold).rendered())
    return tmp_path


def test_no_file_of_a_release_has_changed() -> None:
    assert tampered() == [], "a released schema stays as it is: restore it, and release another version"


def test_the_contracts_keep_every_promise_of_every_release() -> None:
    broken = "\n".join(broken_promises())
    assert not broken, f"{broken}\nadd an optional field instead, or a new version: docs/contracts.md"


def test_an_optional_field_breaks_no_promise(released: Path) -> None:
    assert broken_promises([contract(SoldWithANote)], released) == []


def test_a_broken_promise_is_told_with_its_contract_its_release_and_its_place(released: Path) -> None:
    required, widened = broken_promises([contract(Bought)], released)
    assert widened.startswith("sales.sold.v1, as released with 0.1.0: /till is required now")
    assert required.startswith('sales.sold.v1, as released with 0.1.0: /kind may be "gift" now')


def test_what_only_we_read_may_come_to_allow_more_and_never_less(released: Path) -> None:
    (narrower,) = broken_promises([contract(Bought, is_read_by_us_alone=True)], released)
    assert "/till is required now" in narrower


def test_a_contract_is_never_taken_away(released: Path) -> None:
    (gone,) = broken_promises([], released)
    assert gone == "sales.sold.v1, as released with 0.1.0: it is gone, although its messages are kept"


def test_a_release_holds_every_contract_and_is_written_once(tmp_path: Path) -> None:
    assert release("1.0.0", tmp_path) == len(CONTRACTS) + 1
    assert release("1.0.0", tmp_path) == 0
    assert (tampered(tmp_path), broken_promises(CONTRACTS, tmp_path)) == ([], [])


def test_a_file_that_was_changed_added_or_lost_after_its_release_is_named(tmp_path: Path) -> None:
    release("1.0.0", tmp_path)
    changed, lost, *_ = sorted((tmp_path / "1.0.0").glob("*.json"))
    changed.write_text(json.dumps(json.loads(changed.read_text()) | {"title": "Another"}))
    lost.unlink()
    (tmp_path / "1.0.0" / "more.json").write_text("{}")
    assert tampered(tmp_path) == sorted(f"1.0.0/{name}" for name in (changed.name, lost.name, "more.json"))


def test_another_release_under_the_same_version_needs_to_be_asked_for(tmp_path: Path) -> None:
    release("1.0.0", tmp_path)
    file = next((tmp_path / "1.0.0").glob("*.json"))
    file.write_text("{}")
    with pytest.raises(AlreadyReleased, match="--again"):
        release("1.0.0", tmp_path)
    assert release("1.0.0", tmp_path, again=True) == 1
    assert tampered(tmp_path) == []
