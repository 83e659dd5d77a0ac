"""The AsyncAPI document says what the topics, the contracts and the headers of our messages are."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from schemas.contracts import CONTRACTS
from schemas.envelope import numbered_headers
from schemas.generate import DOCUMENT, write_document
from services.runtime.kafka.topics import topic_specs

WRITTEN: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
TOPICS: dict[str, dict[str, Any]] = yaml.safe_load((DOCUMENT.parent / "topics.yaml").read_text())["topics"]
MESSAGES: dict[str, dict[str, Any]] = WRITTEN["components"]["messages"]
MEMBER = "3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01"


def test_the_document_is_that_of_the_contracts(tmp_path: Path) -> None:
    write_document(tmp_path / "asyncapi.yaml")
    assert (tmp_path / "asyncapi.yaml").read_text() == DOCUMENT.read_text(), "run `make schemas`"


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    assert write_document(tmp_path / "asyncapi.yaml")
    assert not write_document(tmp_path / "asyncapi.yaml")


def test_every_reference_leads_somewhere() -> None:
    references = list(_references(WRITTEN))
    assert len(references) > len(MESSAGES)
    assert [reference for reference in references if not _leads_somewhere(reference)] == []


def test_every_topic_is_a_channel_with_the_messages_of_its_contracts() -> None:
    told = {name: set(channel["messages"]) for name, channel in WRITTEN["channels"].items()}
    assert told == {topic: {each.name for each in CONTRACTS if each.topic == topic and each.types} for topic in TOPICS}
    assert {channel["address"] for channel in WRITTEN["channels"].values()} == {
        f"{{prefix}}{topic}" for topic in TOPICS
    }


@pytest.mark.parametrize("spec", topic_specs(), ids=lambda spec: spec.name)
def test_a_channel_is_configured_as_its_topic_is(spec: Any) -> None:
    binding = WRITTEN["channels"][spec.name]["bindings"]["kafka"]
    configuration = {name: _as_kafka_says(value) for name, value in binding["topicConfiguration"].items()}
    assert (binding.get("partitions"), configuration) == (spec.partitions, spec.config)


def test_every_producer_sends_and_every_consumer_receives() -> None:
    told = {(each["action"], name) for name, each in WRITTEN["operations"].items()}
    sent = {("send", f"{service}.sends.{topic}") for topic, row in TOPICS.items() for service in row["producers"]}
    read = {("receive", f"{service}.receives.{topic}") for topic, row in TOPICS.items() for service in row["consumers"]}
    assert told == sent | read


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_shows_examples_that_keep_to_its_payload(name: str) -> None:
    message = MESSAGES[name]
    schema = json.loads((DOCUMENT.parent / message["payload"]["schema"]["$ref"]).read_text())
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    assert message["examples"]
    assert [error.message for each in message["examples"] for error in validator.iter_errors(each["payload"])] == []


@pytest.mark.parametrize("name", [name for name in MESSAGES if TOPICS[name.partition(".")[0]].get("numbered")])
def test_the_headers_of_a_numbered_message_keep_to_what_is_told(name: str) -> None:
    (event_type, *_) = MESSAGES[name]["headers"]["properties"]["ce_type"]["enum"]
    headers = numbered_headers(
        event_type=event_type,
        member_id=MEMBER,
        member_seq=7,
        source="ledger",
        at=datetime(2026, 3, 11, tzinfo=UTC),
        link=bytes(32),
    )
    for part in (MESSAGES[name], *(_at(trait["$ref"]) for trait in MESSAGES[name]["traits"])):
        assert [error.message for error in Draft202012Validator(part["headers"]).iter_errors(headers)] == []
        assert set(part["headers"]["properties"]) <= set(headers)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def _leads_somewhere(reference: str) -> bool:
    if reference.startswith("#/"):
        return bool(_at(reference))
    return (DOCUMENT.parent / reference).is_file()


def _at(reference: str) -> Any:
    node: Any = WRITTEN
    for step in reference.removeprefix("#/").split("/"):
        node = node.get(step, {})
    return node


def _as_kafka_says(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)
