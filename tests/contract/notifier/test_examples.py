"""The examples of the topics that the notifier writes and reads."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.messages import MessageFact
from schemas.programme import ProgrammePublished
from services.notifier.adapters.agenda import PostgresAgenda
from services.notifier.adapters.member_states import PostgresMemberStates
from services.notifier.adapters.programmes import Programmes, rules_of
from services.notifier.adapters.store import PostgresStore
from services.notifier.consumer import MembersHandler, TiersHandler
from services.runtime.ports import Record

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples"
NOW = datetime(2026, 6, 10, tzinfo=UTC)
PROGRAMMES = Programmes()


def examples(topic: str) -> list[Path]:
    return sorted((EXAMPLES / topic).glob("*.json"))


def name_of(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("topic", ["messages", "members", "tiers", "programme"])
def test_there_are_examples(topic: str) -> None:
    assert examples(topic)


@pytest.mark.parametrize("example", examples("messages"), ids=name_of)
def test_a_message_fact_is_written_in_its_one_spelling(example: Path) -> None:
    written = MessageFact.model_validate_json(example.read_bytes()).model_dump(mode="json", exclude_none=True)
    assert written == json.loads(example.read_bytes())


@pytest.mark.parametrize("example", examples("members"), ids=name_of)
def test_a_member_is_read(example: Path) -> None:
    handler = MembersHandler(PostgresMemberStates, lambda uow: PostgresAgenda(uow, PROGRAMMES))
    known = handler.decode(_record("members", example))
    assert known.member_id == json.loads(example.read_bytes())["member_id"]


@pytest.mark.parametrize("example", examples("tiers"), ids=name_of)
def test_a_tier_change_is_read(example: Path) -> None:
    handler = TiersHandler(lambda uow: PostgresStore(uow, PROGRAMMES), lambda: NOW)
    change, document = handler.decode(_record("tiers", example)), json.loads(example.read_bytes())
    assert change.occurrence == f"{change.member_id}/{document['member_seq']}"
    assert change.restores == (document["reason"] == "late_purchase")


@pytest.mark.parametrize("example", examples("programme"), ids=name_of)
def test_the_campaigns_of_a_programme_are_read(example: Path) -> None:
    document = ProgrammePublished.model_validate_json(example.read_bytes()).document
    rules = rules_of(document)
    assert {campaign.id for campaign in rules.campaigns} == {each.id for each in document.campaigns if each.on.tier}
    assert {campaign.id for campaign in rules.birthdays} == {each.id for each in document.campaigns if each.on.birthday}


def _record(topic: str, example: Path) -> Record[bytes | None]:
    value = example.read_bytes()
    headers = {"member_seq": "1", "hash": "00" * 32}
    return Record(topic, 0, 0, json.loads(value)["member_id"], headers, NOW, value)
