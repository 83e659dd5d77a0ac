"""What `loyalty member show` says about identities and tier."""

from typing import Any

from services.ops.commands.member import identity_kinds, tier_lines

SILVER, GOLD, BASE = {"id": "silver"}, {"id": "gold"}, {"id": None}
YEAR = {"counts_from": "2026-12-31T16:00:00Z", "until": "2027-12-31T16:00:00Z"}


def missing(needed: int, counted: int) -> dict[str, Any]:
    return {"needed": needed, "counted": counted, "missing": needed - counted, **YEAR}


def test_a_member_goes_by_an_id_and_a_number_and_is_listed_once() -> None:
    kinds = ["member", "member", "card", "card", "email"]
    assert identity_kinds([{"kind": kind} for kind in kinds]) == "member, 2 × card, email"


def test_an_upcoming_tier_is_shown_with_what_keeps_it() -> None:
    upcoming = {
        "tier": SILVER,
        "effective_from": "2026-06-10T16:00:00Z",
        "valid_until": "2027-12-31T16:00:00Z",
        "keep": missing(1000, 0),
    }
    tier = {
        "tier": BASE,
        "metric": {"unit": "growth"},
        "upcoming": upcoming,
        "next": {"tier": GOLD} | missing(5000, 1000),
    }
    assert list(tier_lines(tier)) == [
        "tier base",
        "from 2026-06-10T16:00:00Z on silver, valid until 2027-12-31T16:00:00Z",
        "  to keep it: 1000 of 1000 growth missing, counted from 2026-12-31T16:00:00Z until 2027-12-31T16:00:00Z",
        "  to reach gold: 4000 of 5000 growth missing, counted from 2026-12-31T16:00:00Z until 2027-12-31T16:00:00Z",
    ]


def test_a_tier_whose_end_is_not_judged_yet_says_so() -> None:
    tier = {
        "tier": GOLD,
        "valid_until": "2027-12-31T16:00:00Z",
        "evaluation_pending": True,
        "metric": {"unit": "growth"},
        "keep": missing(4000, 300),
    }
    assert list(tier_lines(tier)) == [
        "tier gold, valid until 2027-12-31T16:00:00Z",
        "  its period is over and will be judged as soon as all sales of it are read",
        "  to keep it: 3700 of 4000 growth missing, counted from 2026-12-31T16:00:00Z until 2027-12-31T16:00:00Z",
    ]


def test_who_is_unknown_to_tiering_has_the_base_tier() -> None:
    assert list(tier_lines({})) == ["tier base"]
