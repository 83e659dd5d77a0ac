"""Every mistake in a programme is found, named by its place, and comes with what to do."""

import json
from typing import Any

import pytest

from services.programme.adapters.reading import read_document
from services.programme.application import Source, check, check_alone
from services.programme.domain.findings import Finding, spelled
from tests.support.programmes import EXAMPLE, NOTHING, SMALL, changed, with_change


def findings(document: dict[str, Any]) -> tuple[Finding, ...]:
    return check_alone(read_document(Source(json.dumps(document).encode(), is_json=True)))


def said(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.severity, spelled(each.path), each.code) for each in findings(document)]


def test_the_example_has_nothing_to_complain_about() -> None:
    assert check_alone(read_document(Source(EXAMPLE.read_bytes()))) == ()


def test_the_small_programme_has_nothing_to_complain_about() -> None:
    assert findings(SMALL) == ()


POINTS_RULE = {"id": "extra", "earn": {"unit": "points", "points": 10}}

GIVING = SMALL["campaigns"][0] | {"gift": {"unit": "points", "points": 5}}

ERRORS = [
    ("currency", "CNX", "currency", "unknown_currency"),
    ("time_zone", "Asia/Shangai", "time_zone", "not_valid"),
    ("effective_from", "2026-01-01T00:00:00", "effective_from", "no_offset"),
    ("version", 0, "version", "out_of_range"),
    ("version", "1", "version", "not_a_whole_number"),
    ("programme", NOTHING, "programme", "missing"),
    ("colour", "red", "colour", "unknown_field"),
    ("units", {}, "units", "too_few"),
    ("units.points.expires", {"round": "end_of_month"}, "units.points.expires", "expiry_without_after"),
    ("units.points.expires", {"after": "P0D"}, "units.points.expires.after", "expires_at_once"),
    ("units.points.expires", {"after": "P99999999D"}, ".", "duration_too_long"),
    ("units.points.restored_points", {"at_least": "PT0S"}, "units.points.restored_points.at_least",
     "restored_for_no_time"),
    ("units.points.restored_points", {"at_least": "P9999Y"}, ".", "duration_too_long"),
    ("units.points.restored_points", "P30D", "units.points.restored_points", "not_valid"),
    ("earning.rules.0.earn.unit", "pionts", "earning.rules[0].earn.unit", "unknown_unit"),
    ("earning.rules.0.earn.points", 1.5, "earning.rules[0].earn.points", "not_a_whole_number"),
    ("earning.rules.0.earn.by", "visit", "earning.rules[0].earn", "per_not_allowed"),
    ("earning.rules.0.tier_factor", {"platin": 2}, "earning.rules[0].tier_factor.platin", "unknown_tier"),
    ("earning.rules.0.when", {"tier": "platin"}, "earning.rules[0].when.tier", "unknown_tier"),
    ("earning.rules.0.when", {"hours": ["09:00", "09:00"]}, "earning.rules[0].when.hours", "hours_empty"),
    ("earning.rules.0.when", {"dates": ["2026-03-02", "2026-03-02"]}, "earning.rules[0].when.dates", "dates_empty"),
    ("earning.rules.0.when", {"dates": ["2025-03-02", "2026-01-01"]}, "earning.rules[0].when.dates", "dates_past"),
    ("earning.rules.0.when", {"category": "gift-card/paper"}, "earning.rules[0].when.category", "never_met"),
    ("earning.rules.0.when", {"activity": "review"}, "earning.rules[0].earn", "activity_without_basket"),
    ("earning.rules.2", POINTS_RULE | {"cap": {"points": 9, "per": "day"}}, "earning.rules[2].cap.points",
     "cap_below_award"),
    ("earning.rules.2", POINTS_RULE | {"id": "base"}, "earning.rules[2].id", "duplicate_id"),
    ("earning.rules.2", POINTS_RULE | {"when": {"activity": "a", "sku": "b"}}, "earning.rules[2].when.sku",
     "never_met"),
    ("earning.rules.2", POINTS_RULE | {"pending": "P13M"}, "earning.rules[2].pending", "never_usable"),
    ("earning.rules.2", POINTS_RULE | {"pending": "P1M", "expires": {"after": "P1M"}}, "earning.rules[2].pending",
     "never_usable"),
    ("tiers.metric.unit", "points", "tiers.metric.unit", "metric_spendable"),
    ("tiers.metric.unit", "miles", "tiers.metric.unit", "unknown_unit"),
    ("tiers.metric.window", "membership_year", "tiers.metric.window", "window_not_measured"),
    ("tiers.evaluate_after", "P1M", "tiers.evaluate_after", "evaluated_too_late"),
    ("tiers.evaluate_after", "P29D", "tiers.evaluate_after", "evaluated_too_late"),
    ("tiers.levels.1.reach", 1000, "tiers.levels[1].reach", "levels_not_ascending"),
    ("tiers.levels.1.keep", 5001, "tiers.levels[1].keep", "keep_above_reach"),
    ("tiers.levels.1.id", "silver", "tiers.levels[1].id", "duplicate_id"),
    ("rewards.0.price", {"growth": 5}, "rewards[0].price.growth", "unit_not_spendable"),
    ("rewards.0.price", {"miles": 5}, "rewards[0].price.miles", "unknown_unit"),
    ("rewards.0.tiers", ["gold", "platin"], "rewards[0].tiers[1]", "unknown_tier"),
    ("rewards.0.dates", ["2025-01-01", "2025-02-01"], "rewards[0].dates", "dates_past"),
    ("rewards.0.price", NOTHING, "rewards[0]", "one_price"),
    ("rewards.1.as_money.minimum", 550, "rewards[1].as_money.minimum", "minimum_not_a_step"),
    ("rewards.1.as_money.unit", "growth", "rewards[1].as_money.unit", "unit_not_spendable"),
    ("campaigns.0.on", {"tier": "platin"}, "campaigns[0].on.tier", "unknown_tier"),
    ("campaigns.0.on", {"tier": "gold", "birthday": {}}, "campaigns[0].on", "one_occasion"),
    ("campaigns.0.template", "helo", "campaigns[0].template", "unknown_template"),
    ("campaigns.0.gift", {"unit": "miles", "points": 5}, "campaigns[0].gift.unit", "unknown_unit"),
    ("campaigns.0.channels", [], "campaigns[0].channels", "too_few"),
    ("campaigns.0.tolerance", "P9999Y", ".", "duration_too_long"),
    ("campaigns.0.tolerance", "P99999999999D", ".", "duration_too_long"),
    ("campaigns.0.tolerance", "PT0S", "campaigns[0].tolerance", "tolerates_nothing"),
    ("templates.hello.zh", NOTHING, "templates.hello", "template_without_text"),
    ("templates.hello.en", NOTHING, "templates.hello", "template_without_text"),
    ("templates.hello.en.body", "{{ member.name", "templates.hello.en.body", "template_syntax"),
    ("templates.hello.en.body", "{{ membre.name }}", "templates.hello.en.body", "template_name_unknown"),
    ("templates.hello.en.body", "{{ member.phone }}", "templates.hello.en.body", "template_name_unknown"),
    ("templates.hello.en.body", "{{ birthday.year }}", "templates.hello.en.body", "template_name_unknown"),
    ("templates.hello.en.body", "{{ birthday.day }}", "templates.hello.en.body", "template_name_missing"),
    ("templates.hello.zh.subject", "{{ gift.points }}", "templates.hello.zh.subject", "template_name_missing"),
    ("campaigns.0.on", {"birthday": {}}, "templates.hello.en.body", "template_name_missing"),
    ("campaigns.0.on", {"birthday": {"at": "09:00+08:00"}}, "campaigns[0].on.birthday.at", "offset_not_allowed"),
    ("campaigns.0.on", {"birthday": {"days_before": 61}}, "campaigns[0].on.birthday.days_before", "out_of_range"),
    ("earning.rules.2", POINTS_RULE | {"when": {"activity": "gift"}}, "earning.rules[2].when.activity",
     "reserved_activity"),
    ("campaigns.0", GIVING | {"id": "h" * 60}, "campaigns[0].id", "id_too_long"),
]  # fmt: skip


@pytest.mark.parametrize("template", ["{{ " + "(" * 9000, "{{ " + "9" * 5000 + " }}"], ids=["deep", "a long number"])
def test_a_template_that_no_parser_takes_is_a_finding(template: str) -> None:
    assert said(changed("templates.hello.en.body", template)) == [
        ("error", "templates.hello.en.body", "template_syntax")
    ]


@pytest.mark.parametrize(("place", "value", "path", "code"), ERRORS)
def test_a_mistake_is_named_by_its_place(place: str, value: Any, path: str, code: str) -> None:
    document = changed(place, value)
    assert ("error", path, code) in said(document)


def test_a_rule_must_not_have_the_name_of_a_gift() -> None:
    document = with_change(changed("campaigns.0", GIVING), "earning.rules.0.id", "campaign:hello")
    assert said(document) == [("error", "campaigns[0].id", "duplicate_id")]


def test_a_template_may_use_what_all_its_campaigns_have() -> None:
    birthday = {"id": "birthday", "on": {"birthday": {}}, "channels": ["email"], "template": "hello"}
    document = changed("campaigns", [GIVING, birthday | {"gift": GIVING["gift"]}])
    text = "{{ gift.points }} {{ gift.unit }}"
    assert findings(with_change(document, "templates.hello.en.body", text)) == ()


WARNINGS = [
    ("units.growth.expires", {"after": "P12M"}, "units.growth.expires", "qualifying_unit_expires"),
    ("units.growth.restored_points", {"at_least": "P30D"}, "units.growth.restored_points",
     "restored_points_never_expire"),
    ("earning.rules.0.tier_factor", {"gold": 0}, "earning.rules[0].tier_factor.gold", "factor_zero"),
    ("earning.rules.0.stack", {"best_of": "week"}, "earning.rules[0].stack.best_of", "group_of_one"),
    ("earning.rules.0.when", {"category": ["gift-card", "food"]}, "earning.rules[0].when.category",
     "category_excluded"),
    ("earning.rules.2", POINTS_RULE | {"pending": "P30D", "expires": {"after": "P1M"}}, "earning.rules[2].pending",
     "sometimes_unusable"),
    ("earning.rules.1", POINTS_RULE, "tiers.metric.unit", "metric_never_earned"),
    ("campaigns", [], "templates.hello", "template_unused"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "path", "code"), WARNINGS)
def test_what_is_odd_is_a_warning(place: str, value: Any, path: str, code: str) -> None:
    assert said(changed(place, value)) == [("warning", path, code)]


def test_every_finding_says_what_to_do() -> None:
    for place, value, _, _ in (*ERRORS, *WARNINGS):
        for finding in findings(changed(place, value)):
            assert finding.message
            assert finding.remedy


def test_a_slip_of_the_pen_is_offered_the_right_name() -> None:
    (finding,) = findings(changed("earning.rules.0.earn.unit", "pionts"))
    assert "did you mean 'points'?" in finding.remedy


def test_validity_from_activation_makes_a_long_pending_usable() -> None:
    pending = {"after": "P13M", "validity_from": "activation"}
    assert said(changed("earning.rules.2", POINTS_RULE | {"pending": pending})) == []


def test_all_mistakes_are_told_at_once() -> None:
    document = with_change(changed("currency", "CNX"), "tiers.metric.unit", "points")
    assert {code for severity, _, code in said(document) if severity == "error"} == {
        "unknown_currency",
        "metric_spendable",
    }


def against(newest: dict[str, Any] | None, document: dict[str, Any]) -> list[tuple[str, str, str]]:
    reading = read_document(Source(json.dumps(document).encode(), is_json=True))
    before = read_document(Source(json.dumps(newest).encode(), is_json=True)).programme if newest else None
    return [(each.severity, spelled(each.path), each.code) for each in check(reading, before)]


SECOND = SMALL | {"version": 2}


def test_the_first_version_is_1() -> None:
    assert against(None, SMALL) == []
    assert against(None, SECOND) == [("error", "version", "version_not_next")]


def test_a_version_follows_the_newest() -> None:
    assert against(SMALL, SECOND) == []
    assert against(SMALL, SMALL) == [("error", "version", "version_not_next")]
    assert against(SMALL, SMALL | {"version": 3}) == [("error", "version", "version_not_next")]


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("effective_from", "2025-12-31T23:59:59+08:00", ("error", "effective_from", "effective_before_previous")),
        ("currency", "USD", ("error", "currency", "currency_changed")),
        ("time_zone", "Asia/Tokyo", ("warning", "time_zone", "time_zone_changed")),
        ("units.points.decimals", 1, ("error", "units.points", "unit_redefined")),
        ("units.growth", NOTHING, ("error", "units", "unit_removed")),
        ("tiers.levels.1", NOTHING, ("error", "tiers.levels", "level_removed")),
    ],
)
def test_what_members_hold_keeps_its_meaning(place: str, value: Any, expected: tuple[str, str, str]) -> None:
    assert expected in against(SMALL, with_change(SECOND, place, value))


def test_levels_keep_their_order() -> None:
    levels = [SMALL["tiers"]["levels"][1] | {"reach": 500, "keep": 500}, SMALL["tiers"]["levels"][0]]
    assert ("error", "tiers.levels", "levels_reordered") in against(SMALL, with_change(SECOND, "tiers.levels", levels))
