"""The examples of every topic that the door reads, through its own decoding, and of those that it writes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from schemas.checkouts import Checkout
from schemas.outcomes import Outcome
from schemas.programme import ProgrammePublished
from schemas.purchases import Activity, Purchase
from services.ingest.adapters.envelope import unwrap
from services.ingest.application.ports import Submission
from services.ingest.consumer import CheckoutHandler, MemberHandler
from services.ingest.domain.admission import ClaimedBy
from services.ingest.domain.identity import MemberId, activity_id
from services.runtime.ports import Record
from tests.support.checkouts import NOW, reader

ROOT = Path(__file__).parents[3] / "schemas" / "examples"
THEN = datetime(2026, 3, 12, 1, tzinfo=UTC)


def examples(topic: str) -> pytest.MarkDecorator:
    found = sorted((ROOT / topic).glob("*.json"))
    assert found, f"topic {topic} has no examples"
    return pytest.mark.parametrize("example", found, ids=[file.stem for file in found])


def record(topic: str, value: bytes | None, key: str = "k") -> Record[bytes | None]:
    return Record(topic, 0, 0, key, {}, THEN, value)


class Untouched:
    """Decoding needs neither tables nor a programme."""

    def __call__(self, *_: object) -> Any:
        raise AssertionError("decoding stays outside the transaction")

    confirmed = __call__


def decode_checkout(value: bytes) -> Submission:
    handler = CheckoutHandler(
        read=lambda headers, body: reader(declared=("queue",)).checkout(unwrap(headers, body), THEN),
        books=Untouched(),
        returns=Untouched(),
        programme=Untouched(),
        clock=lambda: THEN,
        tally=Untouched(),
    )
    return handler.decode(record("checkouts", value))


def decode_member(value: bytes | None, key: str = "k") -> Any:
    untouched = Untouched()
    handler = MemberHandler(
        books=untouched,
        register=untouched,
        returns=untouched,
        digest_of_id=lambda member_id: b"id",
        clock=lambda: NOW,
        tally=untouched,
    )
    return handler.decode(record("members", value, key))


@examples("checkouts")
def test_a_checkout_is_read(example: Path) -> None:
    given = json.loads(example.read_bytes())
    arrival = decode_checkout(example.read_bytes()).arrival
    assert arrival.kind == given["kind"]
    assert (arrival.original_id is None) == ("original" not in given)
    assert (arrival.identity is None) == ("member" not in given)


@examples("members")
def test_a_member_is_read(example: Path) -> None:
    given = json.loads(example.read_bytes())
    state = decode_member(example.read_bytes())
    listed = {bytes.fromhex(identity["digest"]) for identity in given["identities"]}
    assert (str(state.member_id), state.version, state.status) == (
        given["member_id"],
        given["version"],
        given["status"],
    )
    assert state.digests == (listed | {b"id"} if given["status"] in ("active", "blocked") else set())


def test_a_members_tombstone_is_read() -> None:
    state = decode_member(None, "0c7d3f0e-55a1-4c58-9d0b-2f3a51a7f001")
    assert (state.status, state.digests) == ("erased", frozenset())


@examples("programme")
def test_a_programme_is_read(example: Path) -> None:
    assert len(ProgrammePublished.model_validate_json(example.read_bytes()).document.currency) == 3


@pytest.mark.parametrize(
    ("topic", "contract"),
    [("checkouts", Checkout), ("purchases", Purchase), ("outcomes", Outcome), ("activities", Activity)],
)
def test_an_example_has_nothing_but_the_fields_of_its_contract(topic: str, contract: type[BaseModel]) -> None:
    for example in (ROOT / topic).glob("*.json"):
        assert set(json.loads(example.read_bytes())) <= set(contract.model_fields), example.stem
        contract.model_validate_json(example.read_bytes())


@examples("purchases")
def test_a_purchase_is_what_the_door_writes_of_its_checkout(example: Path) -> None:
    given = Purchase.model_validate_json(example.read_bytes())
    sent = [decode_checkout(file.read_bytes()) for file in (ROOT / "checkouts").glob("*.json")]
    submission = next(
        each
        for each in sent
        if (str(each.arrival.event_id), each.arrival.fingerprint.hex()) == (given.event_id, given.fingerprint)
    )
    member_id = MemberId(UUID(given.member_id))
    written = submission.paper.as_purchase(member_id, ClaimedBy(given.claimed_by), given.recorded_at)
    assert json.loads(written) == json.loads(example.read_bytes())


@examples("activities")
def test_an_activitys_id_is_made_of_its_name(example: Path) -> None:
    given = Activity.model_validate_json(example.read_bytes())
    named = activity_id(
        source=given.source,
        member_id=MemberId(UUID(given.member_id)),
        activity=given.activity,
        reference=given.reference,
    )
    assert str(named) == given.event_id
