"""Whoever writes a topic can send it again."""

from typing import Any, cast

import pytest

from services.ops.acting_service import definition_of
from services.ops.topic_table import topic_table
from services.runtime.kafka.republish import FactsOfKey

WRITERS = [
    (topic, service) for topic, row in topic_table().items() for service in row["producers"] if service != "till"
]


@pytest.mark.parametrize(("topic", "service"), WRITERS)
def test_every_writer_of_a_topic_finds_its_facts_by_key(topic: str, service: str) -> None:
    make = definition_of(service).outbox_source
    assert make is not None
    assert isinstance(make(cast(Any, None)), FactsOfKey)
