"""Every consumer reads every example of every topic that it consumes, with the handlers of its own `__main__`."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime.errors import NewerReleaseNeeded
from services.runtime.kafka.batches import decoded
from services.runtime.kafka.handler import Handler
from services.runtime.ports import Record
from tests.support.disconnected import NAMES, definition_of, disconnected

SCHEMAS = Path(__file__).parents[2] / "schemas"
TOPICS: dict[str, dict[str, Any]] = yaml.safe_load((SCHEMAS / "topics.yaml").read_text())["topics"]
CONSUMED = [(topic, consumer) for topic, row in TOPICS.items() for consumer in row["consumers"]]
READ = [
    pytest.param(topic, consumer, example, id=f"{consumer} {topic}/{example.stem}")
    for topic, consumer in CONSUMED
    for example in sorted((SCHEMAS / "examples" / topic).glob("*.json"))
]
APPENDED_AT = datetime(2026, 3, 12, 1, tzinfo=UTC)
MEMBER = "3f6b1c1e-6a0e-4a57-9c9e-0d5a8a5b1c01"


@pytest.fixture(scope="module")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Handler[Any]]:
    keys = tmp_path_factory.mktemp("keys")
    made: dict[tuple[str, str], Handler[Any]] = {}
    for service in NAMES:
        definition = definition_of(service)
        given = definition.handlers(disconnected(definition, keys)) if definition.handlers else {}
        made |= {(topic, service): handler for topic, handler in given.items()}
    return made


def test_the_table_of_topics_names_exactly_those_who_read(handlers: dict[tuple[str, str], Handler[Any]]) -> None:
    assert set(CONSUMED) == set(handlers)


@pytest.mark.parametrize(("topic", "consumer", "example"), READ)
def test_a_consumer_reads_an_example(
    handlers: dict[tuple[str, str], Handler[Any]], topic: str, consumer: str, example: Path
) -> None:
    value = example.read_bytes()
    key = json.loads(value).get("member_id", topic)
    assert handlers[topic, consumer].decode(_record(topic, key, value)) is not None


@pytest.mark.parametrize("consumer", TOPICS["members"]["consumers"])
def test_every_reader_of_members_reads_a_tombstone(
    handlers: dict[tuple[str, str], Handler[Any]], consumer: str
) -> None:
    handlers["members", consumer].decode(_record("members", MEMBER, None))


@pytest.mark.parametrize(("topic", "consumer"), CONSUMED)
def test_a_consumer_does_not_mind_a_field_of_a_newer_writer(
    handlers: dict[tuple[str, str], Handler[Any]], topic: str, consumer: str
) -> None:
    example = next((SCHEMAS / "examples" / topic).glob("*.json"))
    document = json.loads(example.read_bytes())
    value = json.dumps(document | {"added_later": {"more": [1]}}).encode()
    record = _record(topic, document.get("member_id", topic), value)
    assert handlers[topic, consumer].decode(record) is not None


@pytest.mark.parametrize("consumer", TOPICS["programme"]["consumers"])
def test_every_reader_of_the_programme_refuses_a_rule_that_it_does_not_know(
    handlers: dict[tuple[str, str], Handler[Any]], consumer: str
) -> None:
    event = json.loads((SCHEMAS / "examples" / "programme" / "first_version.json").read_bytes())
    event["document"]["lottery"] = {"every": 100}
    with pytest.raises(NewerReleaseNeeded, match="/document/lottery"):
        decoded(handlers["programme", consumer], _record("programme", "programme", json.dumps(event).encode()))


def _record(topic: str, key: str, value: bytes | None) -> Record[bytes | None]:
    headers = {"member_seq": "1", "hash": hashlib.sha256(value or b"").hexdigest()}
    return Record(topic, 0, 0, key, headers, APPENDED_AT, value)
