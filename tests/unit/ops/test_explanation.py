"""What `loyalty explain` says to people of each kind of fact."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from services.ops.explanation import narration

EVENT = "f2b0a6a1-2c52-8c0e-9d5f-0a4b6a0d7c11"
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


def test_a_gift_is_told_with_its_campaign_and_its_occasion() -> None:
    award = {"rule": "campaign:birthday", "unit": "points", "points": 100, "uncapped": 100}
    told = said(source="notifier", activity="gift", reference="birthday/2026", award=award)
    assert "    a gift of the campaign [bold]birthday[/] for 2026" in told
    assert "    rule [bold]campaign:birthday[/] gave 100 points into points@never" in told
    assert not [line for line in told if "the door" in line]


def test_another_activity_is_told_with_its_source() -> None:
    award = {"rule": "review", "unit": "points", "points": 20, "uncapped": 20}
    told = said(source="app.acme", activity="review", reference="r-1", award=award)
    assert "    review of app.acme, reference r-1" in told


@pytest.mark.parametrize("words", ["r[/1]", "[red]r-1"])
def test_brackets_in_what_a_till_named_are_told_as_they_are(words: str) -> None:
    award = {"rule": "review", "unit": "points", "points": 20, "uncapped": 20}
    activity = said(source="app.acme", activity="review", reference=words, award=award)
    redemption = said(order=words, reward="mug", as_money=None, award=award)
    plain = [Text.from_markup(line).plain for line in (*activity, *redemption)]
    assert f"    review of app.acme, reference {words}" in plain
    assert f"    for mug, order {words}" in plain


def said(*, award: dict[str, Any], **fact: Any) -> list[str]:
    recorded = {
        "type": "activity_recorded",
        "occurred_at": "2026-06-10T01:00:00Z",
        "programme_version": 1,
        "tier": None,
        "awards": [award | {"lot": "points@never", "lines": [], "over": 1, "cap": None}],
        "moves": [],
    }
    explanation = {"facts": [{"member_seq": 1, "fact": recorded | fact}], "later": []}
    return list(narration({"event_id": EVENT, "outcome": None, "explanation": explanation}))
