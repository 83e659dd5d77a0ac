"""The examples of the topic `points`, as its writer reads and writes them."""

import json
from pathlib import Path

import pytest

from schemas.points import POINTS_FACT, points_type
from services.ledger.adapters.canonical import decode, encode
from services.ledger.domain.evolve import evolve
from services.ledger.domain.facts import PurchaseRecorded
from services.ledger.domain.state import new_account

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas" / "examples" / "points").glob("*.json"))
STAND_ON_EARLIER_FACTS = {
    "carried_remainder",
    "credit_that_repays_debt",
    "expiry_dragged_along_by_a_purchase",
    "expiry_of_what_came_back",
    "points_activated",
    "points_corrected",
    "points_expired_by_the_job",
    "points_expired_on_arrival",
    "sale_voided",
    "points_for_what_the_till_knows",
    "points_paid_as_money",
    "redemption_cancelled",
    "redemption_cancelled_after_an_expiry_and_a_debt",
    "reward_of_a_limited_stock",
    "reward_priced_in_two_units",
} | {example.stem for example in EXAMPLES if example.stem.startswith(("return_", "points_restored", "points_spent"))}


def test_there_is_an_example_of_every_kind_of_fact() -> None:
    assert {json.loads(example.read_bytes())["type"] for example in EXAMPLES} == {
        "purchase_recorded",
        "activity_recorded",
        "return_recorded",
        "return_voided",
        "points_corrected",
        "points_expired",
        "points_activated",
        "tier_applied",
        "member_status_applied",
        "points_redeemed",
        "redemption_cancelled",
        "points_restored",
        "points_spent_again",
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_what_the_ledger_writes(example: Path) -> None:
    document = json.loads(example.read_bytes())

    assert json.loads(encode(*decode(example.read_bytes()))) == document


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_contract_reads_an_example_and_knows_all_its_fields(example: Path) -> None:
    document = json.loads(example.read_bytes())

    read = POINTS_FACT.validate_python(document)

    assert json.loads(POINTS_FACT.dump_json(read)) == document
    assert points_type(read.type) == f"loyalty.points.{document['type']}.v1"


@pytest.mark.parametrize(
    "example",
    [example for example in EXAMPLES if example.stem not in STAND_ON_EARLIER_FACTS],
    ids=lambda path: path.stem,
)
def test_an_example_that_stands_alone_folds_into_a_new_account(example: Path) -> None:
    member_id, _, fact = decode(example.read_bytes())

    state = evolve(new_account(member_id), fact)

    assert state.last_recorded_at == fact.cause.recorded_at


def test_what_a_rule_gave_is_explained_by_its_lines() -> None:
    _, _, fact = decode((EXAMPLES[0].parent / "basket_of_a_gold_member.json").read_bytes())

    assert isinstance(fact, PurchaseRecorded)
    for award in fact.awards:
        assert award.uncapped == sum(points for _, points in award.lines) // award.over
