"""Who writes and who reads which topic, and what its key is, from the table that comes with the code."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def topic_table() -> Mapping[str, Mapping[str, Any]]:
    table: Mapping[str, Mapping[str, Any]] = yaml.safe_load((files("schemas") / "topics.yaml").read_text())["topics"]
    return table


def consumed_topics(services: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Topics that any of the services reads, each with those that do."""
    readers = {
        topic: tuple(name for name in row["consumers"] if name in services) for topic, row in topic_table().items()
    }
    return {topic: names for topic, names in readers.items() if names}


def is_personal(topic: str) -> bool:
    """Whether what stands on it in the clear may name a person."""
    return topic_table()[topic].get("personal") is True
