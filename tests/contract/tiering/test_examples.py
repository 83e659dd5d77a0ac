"""What tiering reads and writes, by the examples of the topics."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.base import rfc3339
from schemas.programme import ProgrammePublished
from schemas.tiers import TierChanged
from services.runtime.ports import Record
from services.runtime.postgres.unit_of_work import UnitOfWork
from services.tiering.adapters.members import MemberTable
from services.tiering.adapters.programme import rules_of
from services.tiering.adapters.standings import StandingTable
from services.tiering.consumer import MembersHandler, PointsHandler

ROOT = Path(__file__).parents[3] / "schemas" / "examples"


def examples(topic: str) -> Sequence[Path]:
    return sorted((ROOT / topic).glob("*.json"))


def of(topic: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("example", examples(topic), ids=lambda path: path.stem)


def record(topic: str, value: bytes | None, key: str = "0191f3a0-0000-7000-8000-000000000001") -> Record[bytes | None]:
    headers = {"hash": hashlib.sha256(value or b"").hexdigest()}
    return Record(topic, 0, 0, key, headers, datetime(2026, 1, 1, tzinfo=UTC), value)


def never(_: UnitOfWork) -> Any:
    raise AssertionError("decoding reads no table")


POINTS = PointsHandler(StandingTable, never, never, lambda: datetime.now(UTC))
MEMBERS = MembersHandler(lambda uow: MemberTable(uow.connection))


@pytest.mark.parametrize("topic", ["points", "members", "programme", "tiers"])
def test_there_are_examples(topic: str) -> None:
    assert examples(topic)


@of("points")
def test_a_points_fact_is_read(example: Path) -> None:
    value = example.read_bytes()
    fact = POINTS.decode(record("points", value))
    document = json.loads(value)
    assert (fact.member_id, fact.member_seq, fact.event_id) == (
        document["member_id"],
        document["member_seq"],
        document["event_id"],
    )
    changed = sum(change["after"] - change["before"] for change in document.get("changes", ()))
    assert sum(fact.amounts.values()) == sum(award["points"] for award in document.get("awards", ())) + changed
    assert rfc3339(fact.occurred_at) == document.get("original_occurred_at", document["occurred_at"])


@of("members")
def test_a_member_is_read(example: Path) -> None:
    document = json.loads(example.read_bytes())
    known = MEMBERS.decode(record("members", example.read_bytes()))
    assert (known.member_id, known.version, known.status) == (
        document["member_id"],
        document["version"],
        document["status"],
    )


def test_the_tombstone_of_a_member_is_read() -> None:
    assert MEMBERS.decode(record("members", None)).version is None


@of("programme")
def test_a_programme_is_read(example: Path) -> None:
    published = ProgrammePublished.model_validate_json(example.read_bytes())
    rules = rules_of(published.document, published.effective_from)
    tiers = published.document.tiers
    assert [level.id for level in rules.levels] == [level.id for level in (tiers.levels if tiers else ())]
    assert all(rules.window_at(rules.starts_at).holds(rules.starts_at) for _ in rules.levels)


@of("tiers")
def test_a_tier_change_is_what_the_contract_writes(example: Path) -> None:
    fact = TierChanged.model_validate_json(example.read_bytes())
    assert fact.model_dump(mode="json") == json.loads(example.read_bytes())
