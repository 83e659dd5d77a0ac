"""The examples of the topic `members`, as its writer reads them back."""

import json
from pathlib import Path

import pytest

from schemas.members import MemberState
from services.members.adapters.contract import decode, encode

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas" / "examples" / "members").glob("*.json"))


def test_there_are_examples() -> None:
    assert {example.stem for example in EXAMPLES} >= {"registered", "consent_withdrawn", "blocked", "closed"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_what_the_service_writes(example: Path) -> None:
    written = encode(decode(example.read_bytes()))
    assert json.loads(written) == json.loads(example.read_bytes())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_nothing_but_the_fields_of_its_contract(example: Path) -> None:
    assert set(json.loads(example.read_bytes())) == set(MemberState.model_fields)


def test_who_has_left_has_no_identities() -> None:
    closed = next(example for example in EXAMPLES if example.stem == "closed")
    assert MemberState.model_validate_json(closed.read_bytes()).identities == ()
