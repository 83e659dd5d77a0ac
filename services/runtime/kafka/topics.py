"""Topics from `schemas/topics.yaml`: created where they are missing, compared where they exist."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from services.runtime.errors import Transient
from services.runtime.kafka.faults import broker_trouble_is_transient
from services.runtime.kafka.settings import KafkaSettings

PARTITIONS_DEFAULT = 6
USABLE_POLLS_MAX = 200
USABLE_POLL_SECONDS = 0.05
REPLICATION_DEFAULT = 3
DURATION_UNITS_MS = {"W": 604_800_000, "D": 86_400_000, "H": 3_600_000, "M": 60_000}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be; `numbered` topics never change their partition count in place."""

    name: str
    partitions: int | None
    numbered: bool
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicChange:
    """`differs` is only told, never repaired; `detail` says what was found."""

    topic: str
    change: Literal["created", "unchanged", "differs"]
    detail: str = ""


async def apply_topics(
    kafka: KafkaSettings, *, partitions: int | None = None, replication: int | None = None
) -> list[TopicChange]:
    """Answers one change per topic, in the file's order; `partitions` is for topics that do not fix their own.

    Without `replication` a topic has three copies, or as many as there are brokers.
    """
    admin = AIOKafkaAdminClient(**kafka.client_options())
    try:
        with broker_trouble_is_transient():
            await admin.start()
            found = await _partition_counts(admin)
            copies = replication or await _replication(admin)
            changes = [
                await _apply(admin, kafka, spec, partitions or PARTITIONS_DEFAULT, copies, found)
                for spec in topic_specs()
            ]
            await _wait_until_usable(admin, {kafka.physical(each.topic) for each in changes})
    finally:
        await admin.close()
    return changes


def topic_specs() -> list[TopicSpec]:
    """The table of topics that comes with the code."""
    table = yaml.safe_load((files("schemas") / "topics.yaml").read_text())
    return [_spec(name, row) for name, row in table["topics"].items()]


async def _wait_until_usable(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    # The broker answers before it has learnt itself what it has just created.
    for _ in range(USABLE_POLLS_MAX):
        if names <= (await _partition_counts(admin)).keys():
            return
        await asyncio.sleep(USABLE_POLL_SECONDS)
    raise Transient("topics were created but the broker does not serve them yet")


async def _apply(
    admin: AIOKafkaAdminClient,
    kafka: KafkaSettings,
    spec: TopicSpec,
    partitions: int,
    replication: int,
    found: dict[str, int],
) -> TopicChange:
    name = kafka.physical(spec.name)
    if name not in found:
        return await _create(admin, spec, name, partitions, replication)
    differences = await _config_differences(admin, name, spec.config)
    if spec.partitions is not None and found[name] != spec.partitions:
        differences.append(f"{found[name]} partitions instead of {spec.partitions}")
    elif found[name] != partitions and spec.partitions is None:
        why = "; never changed in place, its records are numbered" if spec.numbered else ""
        differences.append(f"{found[name]} partitions instead of {partitions}{why}")
    return TopicChange(spec.name, "differs" if differences else "unchanged", ", ".join(differences))


async def _create(
    admin: AIOKafkaAdminClient, spec: TopicSpec, name: str, partitions: int, replication: int
) -> TopicChange:
    count = spec.partitions or partitions
    topic = NewTopic(name, num_partitions=count, replication_factor=replication, topic_configs=spec.config)
    answer = await admin.create_topics([topic])
    for _, code, *rest in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise Transient(f"topic `{name}` was not created: {error.__name__} {rest[0] if rest else ''}")
    return TopicChange(spec.name, "created", f"{count} partitions")


async def _replication(admin: AIOKafkaAdminClient) -> int:
    brokers = (await admin.describe_cluster())["brokers"]
    return min(REPLICATION_DEFAULT, len(brokers))


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    names = await admin.list_topics()
    described = await admin.describe_topics(names) if names else []
    return {row["topic"]: len(row["partitions"]) for row in described if not row["error_code"] and row["partitions"]}


async def _config_differences(admin: AIOKafkaAdminClient, name: str, wanted: dict[str, str]) -> list[str]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    found = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    return [f"{key} is {found.get(key)} instead of {value}" for key, value in wanted.items() if found.get(key) != value]


def _spec(name: str, row: dict[str, Any]) -> TopicSpec:
    config = _retention(row)
    if row.get("timestamps") == "append":
        config["message.timestamp.type"] = "LogAppendTime"
    return TopicSpec(name, row.get("partitions"), bool(row.get("numbered")), config)


def _retention(row: dict[str, Any]) -> dict[str, str]:
    match row["retention"]:
        case "forever":
            return {"cleanup.policy": "delete", "retention.ms": "-1"}
        case "compacted":
            return {"cleanup.policy": "compact", "delete.retention.ms": str(_milliseconds(row["tombstones"]))}
        case duration:
            return {"cleanup.policy": "delete", "retention.ms": str(_milliseconds(duration))}


def _milliseconds(duration: str) -> int:
    parts: Sequence[tuple[str, str]] = re.findall(r"(\d+)([WDHM])", duration)
    if not parts:
        raise ValueError(f"not a duration of weeks, days, hours or minutes: {duration}")
    return sum(int(count) * DURATION_UNITS_MS[unit] for count, unit in parts)
