"""The JSON Schemas that other languages read are those of the models, and every example keeps to both."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from schemas.contracts import CONTRACTS, PublishedContract
from schemas.generate import DIRECTORY, write_schemas
from services.programme.adapters.written import read_written
from tests.support.bad_checkouts import Bad, missing, of_the_wrong_type
from tests.support.programmes import EXAMPLE

SCHEMAS = DIRECTORY.parent
EXAMPLES = sorted((SCHEMAS / "examples").glob("*/*.json"))
TOPICS: dict[str, dict[str, Any]] = yaml.safe_load((SCHEMAS / "topics.yaml").read_text())["topics"]
DOCUMENT = "programme.document.v1"

every_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")


def test_the_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    committed = {file.name: file.read_text() for file in DIRECTORY.iterdir()}
    differing = {name for name in written.keys() | committed.keys() if written.get(name) != committed.get(name)}
    assert not differing, "the models have changed: run `make schemas` and look at what it does to readers"


def test_what_is_no_contract_any_more_is_taken_away(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    (tmp_path / "purchases.gone.v1.schema.json").write_text("{}")
    assert write_schemas(tmp_path) == 1
    assert write_schemas(tmp_path) == 0


@every_contract
def test_a_schema_is_one(contract: PublishedContract) -> None:
    schema = json.loads(contract.rendered())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:loyalty:schema:{contract.name}"
    assert schema["description"]


@every_example
def test_an_example_keeps_to_its_schema(example: Path) -> None:
    contract = _contract_of(example)
    document = json.loads(example.read_bytes())
    assert [error.message for error in _validator(contract).iter_errors(document)] == []


@every_example
def test_an_example_keeps_to_its_model_and_has_no_other_fields(example: Path) -> None:
    contract = _contract_of(example)
    read = contract.model.model_validate_json(example.read_bytes())
    assert set(json.loads(example.read_bytes())) <= set(type(read).model_fields)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_has_examples_of_each_of_its_types(topic: str) -> None:
    described = {contract.name for contract in CONTRACTS if contract.topic == topic} - {DOCUMENT}
    shown = {_contract_of(example).name for example in EXAMPLES if example.parent.name == topic}
    assert shown == described != set()


def test_every_contract_and_every_example_belongs_to_a_topic() -> None:
    assert {contract.topic for contract in CONTRACTS} == {example.parent.name for example in EXAMPLES} == set(TOPICS)


@every_contract
def test_the_types_of_a_contract_are_those_of_its_topic(contract: PublishedContract) -> None:
    assert all(any(fnmatch(each, pattern) for pattern in TOPICS[contract.topic]["types"]) for each in contract.types)
    assert bool(contract.types) == (contract.name != DOCUMENT)


def test_every_type_of_a_topic_has_one_contract() -> None:
    types = [each for contract in CONTRACTS for each in contract.types]
    assert len(types) == len(set(types))
    patterns = {pattern for row in TOPICS.values() for pattern in row["types"]}
    assert all(any(fnmatch(each, pattern) for each in types) for pattern in patterns)


@pytest.mark.parametrize("bad", [*of_the_wrong_type(), *missing()], ids=lambda bad: bad.name)
def test_a_checkout_of_another_shape_is_refused_by_the_schema_too(bad: Bad) -> None:
    assert not _validator(_contract("checkouts.checkout.v1")).is_valid(bad.checkout)


@pytest.mark.parametrize("programme", sorted(EXAMPLE.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_has_nothing_against_a_programme_that_comes_with_the_code(programme: Path) -> None:
    document = read_written(programme.read_bytes(), is_json=False).data
    assert [error.message for error in _validator(_contract(DOCUMENT)).iter_errors(document)] == []


def test_an_editor_marks_a_field_that_no_programme_has() -> None:
    document = read_written(EXAMPLE.read_bytes(), is_json=False).data | {"teirs": {}}
    (error,) = _validator(_contract(DOCUMENT)).iter_errors(document)
    assert "teirs" in error.message


def _contract_of(example: Path) -> PublishedContract:
    topic = example.parent.name
    if topic == "points":
        return _contract(f"points.{json.loads(example.read_bytes())['type']}.v1")
    return next(each for each in CONTRACTS if each.topic == topic and each.name != DOCUMENT)


def _contract(name: str) -> PublishedContract:
    return next(contract for contract in CONTRACTS if contract.name == name)


def _validator(contract: PublishedContract) -> Draft202012Validator:
    return Draft202012Validator(
        json.loads((DIRECTORY / contract.file_name).read_text()), format_checker=FormatChecker()
    )
