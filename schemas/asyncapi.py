"""The AsyncAPI 3.0 document: who sends what to which topic, from contracts, examples and the table of topics."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import TypeAdapter

from schemas.contracts import CONTRACTS, PublishedContract

Node: TypeAlias = dict[str, Any]

_HERE = Path(__file__).parent
_KAFKA_BINDING = {"bindingVersion": "0.5.0"}
_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_DURATION = TypeAdapter(timedelta)
_PERSONAL = {True: "Personal data in the clear.", "encrypted": "Personal data, encrypted.", False: "Nothing personal."}
_TEXT: Node = {"type": "string"}


def rendered(version: str) -> str:
    """Equal contracts, examples and topics give equal bytes."""
    return yaml.dump(document(version), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def document(version: str) -> Node:
    topics: dict[str, Node] = yaml.safe_load((_HERE / "topics.yaml").read_text())["topics"]
    messages = {contract.name: contract for contract in CONTRACTS if contract.types}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loyalty platform",
            "version": version,
            "description": "The topics in which the services meet. CloudEvents 1.0 in Kafka's binary mode: the envelope"
            " in headers, the JSON alone as value. Whoever reads ignores fields that it does not know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {name: _channel(name, row, messages) for name, row in topics.items()},
        "operations": _operations(topics),
        "components": {
            "messages": {name: _message(contract, topics[contract.topic]) for name, contract in messages.items()},
            "messageTraits": {"event": _event_trait(), "numbered": _numbered_trait()},
            "parameters": {
                "prefix": {"default": "loyalty.", "description": "What all topics of a deployment begin with."}
            },
        },
    }


def examples_of(contract: PublishedContract) -> Mapping[str, Any]:
    """By name, the examples of this contract's messages."""
    files = sorted((_HERE / "examples" / contract.topic).glob("*.json"))
    documents = {file.stem: json.loads(file.read_bytes()) for file in files}
    return {name: each for name, each in documents.items() if _is_of(contract, each)}


def _is_of(contract: PublishedContract, example: Node) -> bool:
    # The facts of topic `points` are told apart by a field of their own.
    return contract.topic != "points" or contract.name == f"points.{example['type']}.v1"


def _server() -> Node:
    bootstrap = {"default": "127.0.0.1:9092", "description": "The setting LOYALTY_KAFKA."}
    return {"host": "{bootstrap}", "protocol": "kafka", "variables": {"bootstrap": bootstrap}}


def _channel(name: str, row: Node, messages: Mapping[str, PublishedContract]) -> Node:
    sent = [contract for contract in messages.values() if contract.topic == name]
    numbered = " Numbered per member without gaps, each fact chained to the one before by its hash."
    return {
        "address": f"{{prefix}}{name}",
        "description": f"Keyed by {row['key']}. {_PERSONAL[row.get('personal', False)]}"
        + (numbered if row.get("numbered") else ""),
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"} for each in sent},
        "bindings": {"kafka": _topic_binding(row)},
    }


def _topic_binding(row: Node) -> Node:
    partitions = {"partitions": row["partitions"]} if "partitions" in row else {}
    return {**partitions, "topicConfiguration": _configuration(row), **_KAFKA_BINDING}


def _configuration(row: Node) -> Node:
    timestamps = {"message.timestamp.type": "LogAppendTime"} if row.get("timestamps") == "append" else {}
    match row["retention"]:
        case "forever":
            return {"cleanup.policy": ["delete"], "retention.ms": -1, **timestamps}
        case "compacted":
            return {
                "cleanup.policy": ["compact"],
                "delete.retention.ms": _milliseconds(row["tombstones"]),
                **timestamps,
            }
        case duration:
            return {"cleanup.policy": ["delete"], "retention.ms": _milliseconds(duration), **timestamps}


def _milliseconds(duration: str) -> int:
    return _DURATION.validate_python(duration) // timedelta(milliseconds=1)


def _operations(topics: Mapping[str, Node]) -> Node:
    operations: Node = {}
    for topic, row in topics.items():
        channel = {"channel": {"$ref": f"#/channels/{topic}"}}
        for service in row["producers"]:
            operations[f"{service}.sends.{topic}"] = {"action": "send", **channel}
        for service in row["consumers"]:
            group = {"groupId": {"type": "string", "pattern": rf"{service}$"}, **_KAFKA_BINDING}
            operations[f"{service}.receives.{topic}"] = {"action": "receive", **channel, "bindings": {"kafka": group}}
    return operations


def _message(contract: PublishedContract, row: Node) -> Node:
    traits = ["event", "numbered"] if row.get("numbered") else ["event"]
    key = {"const": row["key"]} if row["key"] == contract.topic else {"description": row["key"]}
    return {
        "name": contract.name,
        "title": contract.model.__name__,
        "summary": (contract.model.__doc__ or "").strip().partition("\n")[0],
        "traits": [{"$ref": f"#/components/messageTraits/{each}"} for each in traits],
        "headers": {"type": "object", "properties": {"ce_type": {"enum": list(contract.types)}}},
        "payload": {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": f"./json/{contract.file_name}"}},
        "bindings": {"kafka": {"key": {"type": "string", **key}, **_KAFKA_BINDING}},
        "examples": [{"name": name, "payload": payload} for name, payload in examples_of(contract).items()],
    }


def _event_trait() -> Node:
    headers = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**_TEXT, "description": "The event's id; the same again is the same event."},
        "ce_source": {**_TEXT, "description": "The service or till that says it."},
        "ce_type": _TEXT,
        "ce_time": {**_TEXT, "format": "date-time"},
        "content-type": {"const": "application/json"},
    }
    return {"headers": {"type": "object", "required": list(headers), "properties": headers}}


def _numbered_trait() -> Node:
    headers = {
        "ce_id": {**_TEXT, "description": "`<member_id>/<member_seq>`"},
        "member_seq": {**_TEXT, "pattern": "^[1-9][0-9]*$", "description": "1, 2, 3 … of the member, without gaps."},
        "hash": {
            **_TEXT,
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 over the hash before (at first: of member_id) and the bytes of the value.",
        },
    }
    return {"headers": {"type": "object", "required": ["member_seq", "hash"], "properties": headers}}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True
