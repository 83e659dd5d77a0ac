"""The examples of the topic `programme`, as its writer makes and reads them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.programme import ProgrammePublished
from services.programme.adapters.reading import programme_of, read_document
from services.programme.application import Source, check_alone
from services.programme.domain.findings import is_publishable
from services.runtime.documents import DocumentHandler
from services.runtime.ports import Record
from tests.support.programmes import EXAMPLE

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas" / "examples" / "programme").glob("*.json"))
by_name = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def test_there_are_examples() -> None:
    assert {example.stem for example in EXAMPLES} >= {"first_version", "second_version", "points_only"}


@by_name
def test_an_example_is_read_back_from_the_own_topic(example: Path) -> None:
    record: Record[bytes | None] = Record(
        "programme", 0, 0, "programme", {}, datetime(2026, 1, 1, tzinfo=UTC), example.read_bytes()
    )
    decoded = DocumentHandler(lead=timedelta(minutes=15)).decode(record)
    published = ProgrammePublished.model_validate_json(example.read_bytes())
    assert (decoded.head.version, decoded.head.effective_from) == (published.version, published.effective_from)
    assert programme_of(published.document).version == published.version


@by_name
def test_an_example_says_everything_that_the_contract_has(example: Path) -> None:
    published = ProgrammePublished.model_validate_json(example.read_bytes())
    assert json.loads(published.model_dump_json()) == json.loads(example.read_bytes())


@by_name
def test_the_document_of_an_example_could_be_published(example: Path) -> None:
    document = json.dumps(json.loads(example.read_bytes())["document"]).encode()
    assert is_publishable(check_alone(read_document(Source(document, is_json=True))))


def test_the_programme_that_a_new_platform_gets_is_an_example() -> None:
    first = next(example for example in EXAMPLES if example.stem == "first_version")
    canonical = json.loads(read_document(Source(EXAMPLE.read_bytes())).canonical())
    assert canonical == json.loads(first.read_bytes())["document"]
