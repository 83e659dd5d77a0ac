"""What `loyalty explain` says to people of each kind of fact."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.ops.explanation import narration

EXAMPLES = sorted((Path(__file__).parents[3] / "schemas" / "examples" / "points").glob("*.json"))


def told(example: Path) -> list[str]:
    fact: dict[str, Any] = json.loads(example.read_bytes())
    entry = {"member_seq": fact["member_seq"], "fact": fact}
    explanation = {"facts": [entry], "later": [entry]}
    return list(narration({"event_id": fact["event_id"], "outcome": None, "explanation": explanation}))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_fact_is_told_with_its_moves(example: Path) -> None:
    fact = json.loads(example.read_bytes())
    lines = told(example)

    assert f"  {fact['type'].replace('_', ' ')} at {fact['occurred_at']}, number {fact['member_seq']}" in lines
    for move in fact["moves"]:
        assert f"    {move['points']} {move['unit']}: {move['source']} → {move['target']}" in lines


@pytest.mark.parametrize("name", ["points_restored", "points_spent_again", "redemption_cancelled"])
def test_what_comes_back_names_its_redemption(name: str) -> None:
    (example,) = [example for example in EXAMPLES if example.stem == name]

    assert f"    of redemption {json.loads(example.read_bytes())['redemption_id']}" in told(example)


def test_what_a_person_should_look_at_stands_out() -> None:
    (example,) = [each for each in EXAMPLES if each.stem == "return_of_a_sale_paid_with_an_unknown_redemption"]

    assert "    [red]a person should look[/]: unknown redemption" in told(example)
