"""Checkouts from files to the topic: as the door publishes them, interrupted, killed, changed."""

import asyncio
import json
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.ingest.adapters.publication import checkout_message
from services.ops.importing.checkout_topic import CheckoutTopic
from services.runtime.kafka.reader import read_topic
from services.runtime.kafka.settings import KafkaSettings
from services.runtime.kafka.topics import apply_topics
from services.runtime.ports import Record
from tests.support.checkouts import FULL_SALE, SALE, body, submission
from tests.support.import_command import ImportCommand
from tests.support.imports import FIRST, OTHER, SECOND, table

SALES = 8_000
BATCH = CheckoutTopic.batch_records


@pytest.fixture
def loyalty_import(topics: KafkaSettings, tmp_path: Path) -> ImportCommand:
    return ImportCommand(tmp_path, {"LOYALTY_KAFKA": topics.bootstrap, "LOYALTY_TOPIC_PREFIX": topics.prefix})


async def published(topics: KafkaSettings) -> list[Record[bytes | None]]:
    return [record async for batch in read_topic(topics, "checkouts") for record in batch]


def sequences(records: list[Record[bytes | None]]) -> Counter[int]:
    return Counter(int(json.loads(record.value or b"")["sequence"]) for record in records)


def history(directory: Path) -> Path:
    """Many sales, of which every thousandth cannot be read."""
    file = directory / "history.ndjson"
    with file.open("w") as written:
        for number in range(SALES):
            sale: dict[str, Any] = SALE | {"sequence": number, "terminal": f"{number % 7:02}"}
            written.write(json.dumps(sale | ({"kind": "gift"} if number % 1_000 == 0 else {})) + "\n")
    return file


def fit() -> Counter[int]:
    return Counter(number for number in range(SALES) if number % 1_000)


async def test_a_file_is_published_as_the_door_publishes_what_comes_over_http(
    loyalty_import: ImportCommand, topics: KafkaSettings, tmp_path: Path
) -> None:
    (tmp_path / "sales.ndjson").write_bytes(body(SALE) + b"\n" + body(FULL_SALE | {"sequence": 2, "till": 7}) + b"\n")
    ran = await loyalty_import("checkouts", "sales.ndjson", str(table(tmp_path, FIRST, SECOND, OTHER)))
    assert (ran.code, ran.counts, ran.summary["unknown_fields"]) == (0, {"published": 4}, 1)
    expected = [checkout_message(submission(each)) for each in (SALE, FULL_SALE | {"sequence": 2})]
    records = [(record.key, record.headers, record.value) for record in await published(topics)]
    assert len(records) == 4
    assert [message for message in expected if (message.key, message.headers, message.value) not in records] == []


async def test_an_import_that_was_killed_goes_on_and_repeats_one_batch_at_most(
    loyalty_import: ImportCommand, topics: KafkaSettings, tmp_path: Path
) -> None:
    file = history(tmp_path)
    process = await loyalty_import.start("checkouts", file.name)
    kept = await loyalty_import.until_rows(BATCH)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    ran = await loyalty_import("checkouts", file.name)
    assert (ran.code, ran.counts) == (1, {"published": SALES - 8, "rejected": 8})
    assert "going on behind row" in ran.words
    assert ran.summary["records_now"] <= SALES - kept.place.rows
    seen = sequences(await published(topics))
    assert seen.keys() == fit().keys()
    assert (seen - fit()).total() <= BATCH
    assert [entry["row"] for entry in loyalty_import.rejected()] == list(range(1, SALES, 1_000))
    again = await loyalty_import("checkouts", file.name)
    assert (again.code, again.summary["records_now"], "is in already" in again.words) == (1, 0, True)


async def test_an_interrupted_import_says_how_to_go_on_and_repeats_nothing(
    loyalty_import: ImportCommand, topics: KafkaSettings, tmp_path: Path
) -> None:
    file = history(tmp_path)
    process = await loyalty_import.start("checkouts", file.name)
    await loyalty_import.until_rows(BATCH)
    process.send_signal(signal.SIGINT)
    stopped = await loyalty_import.end(process)
    assert (stopped.code, stopped.summary["interrupted"]) == (130, True)
    assert "the same command goes on from here" in stopped.words
    ran = await loyalty_import("checkouts", file.name, "--resume")
    assert (ran.code, stopped.summary["records_now"] + ran.summary["records_now"]) == (1, SALES)
    assert sequences(await published(topics)) == fit()


async def test_a_file_that_was_changed_is_not_gone_on_with(loyalty_import: ImportCommand, tmp_path: Path) -> None:
    file = tmp_path / "sales.ndjson"
    file.write_bytes(body(SALE) + b"\n")
    resumed = await loyalty_import("checkouts", file.name, "--resume")
    assert (resumed.code, "was not begun" in resumed.words) == (2, True)
    assert (await loyalty_import("checkouts", file.name)).code == 0
    file.write_bytes(body(SALE) + b"\n" + body(SALE | {"sequence": 2}) + b"\n")
    changed = await loyalty_import("checkouts", file.name)
    assert (changed.code, "was changed since 1 records" in changed.words) == (2, True)
    anew = await loyalty_import("checkouts", file.name, "--restart")
    assert (anew.code, anew.counts) == (0, {"published": 2})


async def test_what_one_deployment_has_taken_in_is_not_in_another(
    loyalty_import: ImportCommand, topics: KafkaSettings, tmp_path: Path
) -> None:
    (tmp_path / "sales.ndjson").write_bytes(body(SALE) + b"\n")
    other = replace(topics, prefix=f"{topics.prefix}other.")
    await apply_topics(other, partitions=1)
    elsewhere = ImportCommand(tmp_path, {**loyalty_import.environment, "LOYALTY_TOPIC_PREFIX": other.prefix})
    for command in (loyalty_import, elsewhere):
        assert (await command("checkouts", "sales.ndjson")).summary["records_now"] == 1
    assert [len(await published(each)) for each in (topics, other)] == [1, 1]


async def test_a_pipe_that_has_more_to_come_can_be_interrupted_and_what_came_is_in(
    loyalty_import: ImportCommand, topics: KafkaSettings
) -> None:
    process = await loyalty_import.start("checkouts", "-", "--format", "ndjson", stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    lines = [body(SALE | {"sequence": number}) + b"\n" for number in range(BATCH + 10)]
    process.stdin.write(b"".join(lines))
    await process.stdin.drain()
    async with asyncio.timeout(30):
        while len(await published(topics)) < BATCH:
            await asyncio.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.returncode is None
    await asyncio.wait_for(process.wait(), 30)
    assert process.returncode == 130
    assert len(await published(topics)) == BATCH + 10


async def test_a_broker_that_is_away_and_a_topic_that_is_missing_are_told(
    loyalty_import: ImportCommand, tmp_path: Path
) -> None:
    (tmp_path / "sales.ndjson").write_bytes(body(SALE) + b"\n")
    away = ImportCommand(tmp_path, {**loyalty_import.environment, "LOYALTY_KAFKA": "127.0.0.1:9"})
    ran = await away("checkouts", "sales.ndjson")
    assert (ran.code, "set LOYALTY_KAFKA (now 127.0.0.1:9)" in ran.words) == (2, True)
    missing = ImportCommand(tmp_path, {**loyalty_import.environment, "LOYALTY_TOPIC_PREFIX": "nowhere."})
    ran = await missing("checkouts", "sales.ndjson")
    assert (ran.code, "loyalty topics apply" in ran.words) == (2, True)
