"""The worked cases, from a topic to the answer over HTTP."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.ledger import (
    CASE_LINES,
    LedgerService,
    P,
    id_of,
    local,
    new_member,
    programme,
    purchase,
    tier_change,
)
from tests.support.programmes import with_change


async def test_C1_a_basket_earns_66_points_that_expire_at_the_end_of_a_month(ledger: LedgerService) -> None:
    member = new_member()
    await ledger.running.send(programme(), purchase(member, lines=CASE_LINES))
    async with ledger.running.working():
        await ledger.until_recorded(1)
        (record,) = await ledger.running.until_published("points", 1)
    points = await ledger.points(member)
    assert (points["available"], points["issued"]) == (66, 66)
    ((expiring),) = points["expiring"]
    assert expiring["points"] == 66
    assert datetime.fromisoformat(expiring["at"]) == local(2027, 4, 1)
    (entry,) = (await ledger.ask(f"/v1/members/{member}/entries"))["entries"]
    given = {award["rule"]: award["points"] for award in entry["fact"]["awards"]}
    assert given == {"base": 40, "growth": 40, "coffee-double": 26}
    assert (record.key, record.headers["hash"]) == (member, entry["hash"])


async def test_C2_a_gold_member_earns_87_for_the_same_basket(ledger: LedgerService) -> None:
    member = new_member()
    await ledger.running.send(programme(), tier_change(member, "gold", since=local(2026, 2, 1)))
    async with ledger.running.working():
        await ledger.until_recorded(1)
        await ledger.running.send(purchase(member, lines=CASE_LINES))
        await ledger.until_recorded(2)
    assert (await ledger.points(member))["available"] == 87
    applied, recorded = await ledger.facts(member)
    assert (applied["type"], applied["tier"], recorded["tier"]) == ("tier_applied", "gold", "gold")


async def test_C4_a_late_sale_earns_by_the_version_of_its_time(ledger: LedgerService) -> None:
    # A later version cannot start before it was published, so its start lies ahead of the real present.
    year = datetime.now(UTC).year + 1
    second = with_change(with_change(P, "version", 2), "effective_from", f"{year}-05-01T00:00:00+08:00")
    second = with_change(second, "earning.rules.0.earn.points", 3)
    member = new_member()
    ledger.clock.now = local(year, 5, 1, 7)
    await ledger.running.send(programme(), programme(second))
    late = purchase(member, at=local(year, 4, 30, 23, 50))
    early = purchase(member, at=local(year, 5, 1))
    async with ledger.running.working():
        await ledger.running.send(late, early)
        await ledger.until_recorded(2)
    by_version = {fact["programme_version"]: fact["awards"][0]["points"] for fact in await ledger.facts(member)}
    assert by_version == {1: 10, 2: 30}


async def test_C15_sales_earn_by_the_tier_of_their_time_when_its_end_is_heard_of(ledger: LedgerService) -> None:
    member, boundary = new_member(), local(2028, 1, 1)
    ledger.clock.now = local(2028, 1, 1, 5)
    for_silver = {"id": "for-silver", "when": {"tier": "silver"}, "earn": {"unit": "points", "points": 100}}
    document = with_change(P, f"earning.rules.{len(P['earning']['rules'])}", for_silver)
    await ledger.running.send(programme(document), tier_change(member, "gold", since=local(2026, 6, 11)))
    before_the_evaluation = purchase(member, at=local(2028, 1, 1, 1))
    async with ledger.running.working():
        await ledger.until_recorded(1)
        await ledger.running.send(before_the_evaluation)
        await ledger.until_recorded(2)
        ledger.clock.now = local(2028, 1, 1, 7)
        await ledger.running.send(tier_change(member, "silver", since=boundary, number=2, reason="period_end"))
        await ledger.until_recorded(3)
        late, from_the_end_on = purchase(member, at=local(2027, 12, 31, 23)), purchase(member, at=boundary)
        await ledger.running.send(late, from_the_end_on)
        await ledger.until_recorded(5)
    facts = await ledger.facts(member)
    earned = {fact["event_id"]: _by_unit(fact)["points"] for fact in facts if "awards" in fact}
    assert earned == {id_of(before_the_evaluation): 15, id_of(late): 15, id_of(from_the_end_on): 110}
    assert "points_corrected" not in {fact["type"] for fact in facts}


async def test_C6_a_lot_ends_at_its_instant_and_the_job_only_records_it(ledger: LedgerService) -> None:
    six_months = with_change(P, "units.points.expires", {"after": "P6M", "round": "end_of_month"})
    member, expiry = new_member(), local(2026, 12, 1)
    await ledger.running.send(programme(six_months), purchase(member, 5000, at=local(2026, 5, 20)))
    ledger.clock.now = local(2026, 5, 20, 12)
    async with ledger.running.working():
        await ledger.until_recorded(1)

        ledger.clock.now = expiry - timedelta(seconds=1)
        assert (await ledger.points(member))["available"] == 50
        assert await ledger.settle() == 0

        ledger.clock.now = expiry
        at_its_instant = await ledger.points(member)
        assert (at_its_instant["available"], at_its_instant["expired"]) == (0, 50)
        assert await ledger.entries() == 1

        ledger.clock.now = local(2026, 12, 3, 4)
        assert await ledger.settle() == 1
        assert await ledger.settle() == 0
        await ledger.running.until_published("points", 2)
    _, expired = await ledger.facts(member)
    assert (expired["type"], expired["points"]) == ("points_expired", 50)
    assert datetime.fromisoformat(expired["occurred_at"]) == expiry
    assert datetime.fromisoformat(expired["recorded_at"]) == local(2026, 12, 3, 4)
    assert {**await ledger.points(member), "expiring": []} == {**at_its_instant, "expiring": []}


async def test_C7_a_purchase_whose_lot_is_past_leaves_two_facts_and_the_balance(ledger: LedgerService) -> None:
    member = new_member()
    await ledger.running.send(programme(), purchase(member, 3000, at=local(2027, 6, 1)))
    ledger.clock.now = local(2027, 6, 2)
    async with ledger.running.working():
        await ledger.until_recorded(1)
        before = await ledger.points(member)
        late = purchase(member, 1000)
        await ledger.running.send(late)
        await ledger.until_recorded(3)
        await ledger.running.until_published("points", 3)
    after = await ledger.points(member)
    assert (before["available"], after["available"], after["debt"]) == (30, 30, 0)
    assert (after["issued"], after["expired"]) == (40, 10)
    explained = await ledger.ask(f"/v1/explain/{late.headers['ce_id']}")
    assert [entry["fact"]["type"] for entry in explained["facts"]] == ["purchase_recorded", "points_expired"]


def _by_unit(fact: dict[str, Any]) -> Counter[str]:
    earned = Counter[str]()
    for award in fact["awards"]:
        earned[award["unit"]] += award["points"]
    return earned
