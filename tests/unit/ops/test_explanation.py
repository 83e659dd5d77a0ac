"""What `loyalty explain` says of a gift and of another activity."""

from typing import Any

from services.ops.explanation import narration

EVENT = "f2b0a6a1-2c52-8c0e-9d5f-0a4b6a0d7c11"


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
