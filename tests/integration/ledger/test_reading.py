"""Balances, lots, entries and explanations over HTTP, and how they refuse."""

from datetime import timedelta

import pytest

from services.runtime.ports import Message
from tests.support.ledger import WEDNESDAY, LedgerService, id_of, local, new_member, purchase, review
from tests.support.points_streams import member as registration

NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_entries_come_in_pages(books: LedgerService) -> None:
    member = new_member()
    await books.record(*(purchase(member) for _ in range(5)))
    seen, cursor = [], "0"
    while cursor:
        page = await books.ask(f"/v1/members/{member}/entries", cursor=cursor, limit=2)
        seen += [entry["member_seq"] for entry in page["entries"]]
        cursor = page["next"]
    assert seen == [1, 2, 3, 4, 5]
    behind = await books.ask(f"/v1/members/{member}/entries", cursor="5")
    assert (behind["entries"], behind["next"]) == ([], None)


async def test_a_last_page_that_is_just_full_has_an_empty_one_behind_it(books: LedgerService) -> None:
    member = new_member()
    await books.record(purchase(member), purchase(member))
    page = await books.ask(f"/v1/members/{member}/entries", limit=2)
    assert (len(page["entries"]), page["next"]) == (2, "2")
    behind = await books.ask(f"/v1/members/{member}/entries", cursor=page["next"], limit=2)
    assert (behind["entries"], behind["next"]) == ([], None)


async def test_lots_stand_in_the_order_in_which_they_are_spent(books: LedgerService) -> None:
    member = new_member()
    await books.record(purchase(member, 3000, at=local(2026, 3, 1)), purchase(member, 2000, at=local(2026, 1, 5)))
    lots = (await books.ask(f"/v1/members/{member}/lots"))["lots"]
    spendable = [(lot["expires_at"], lot["available"]) for lot in lots if lot["unit"] == "points"]
    assert spendable == [("2027-01-31T16:00:00Z", 20), ("2027-03-31T16:00:00Z", 30)]


async def test_a_balance_can_be_asked_for_as_it_was_and_as_it_was_known(books: LedgerService) -> None:
    member, bought, heard = new_member(), local(2026, 3, 1, 12), local(2026, 3, 9)
    books.clock.now = heard
    await books.record(purchase(member, 3000, at=bought))
    books.clock.now = local(2026, 6, 1)
    assert (await books.points(member, at=(bought + timedelta(seconds=1)).isoformat()))["available"] == 30
    path, hour_before = f"/v1/members/{member}/balances", (bought - timedelta(hours=1)).isoformat()
    assert (await books.ask(path, at=hour_before))["units"] == {}
    unheard = await books.ask(path, at=local(2026, 3, 5).isoformat(), known_at=local(2026, 3, 8).isoformat())
    assert (unheard["units"], unheard["member_seq"]) == ({}, 0)
    expiry = local(2027, 4, 1)
    assert (await books.points(member, at=(expiry - timedelta(seconds=1)).isoformat()))["available"] == 30
    gone = await books.points(member, at=expiry.isoformat())
    assert (gone["available"], gone["expired"]) == (0, 30)


async def test_an_explanation_names_rule_version_and_lot_and_what_came_later(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, 3000)
    await books.record(sale, review(member))
    books.clock.now = local(2027, 4, 2)
    await books.settle()
    told = await books.ask(f"/v1/explain/{id_of(sale)}")
    (entry,) = told["facts"]
    award = next(award for award in entry["fact"]["awards"] if award["rule"] == "base")
    assert (told["member_id"], entry["fact"]["programme_version"], award["points"]) == (member, 1, 30)
    # The review earned into the same lot, which ended as a whole.
    later = [(each["fact"]["type"], each["fact"].get("lot")) for each in told["later"]]
    assert later == [("activity_recorded", None), ("points_expired", award["lot"])]


@pytest.mark.parametrize("path", ["balances", "lots", "entries", "balances?at=2026-03-11T00:00:00Z"])
async def test_who_is_no_member_is_answered_404(books: LedgerService, path: str) -> None:
    answer = await books.running.client.get(f"/v1/members/{NOBODY}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "member_unknown")


async def test_a_member_who_has_bought_nothing_has_nothing(books: LedgerService) -> None:
    member = new_member()
    await books.record(registration(member, WEDNESDAY))
    assert (await books.ask(f"/v1/members/{member}/balances"))["units"] == {}
    assert (await books.ask(f"/v1/members/{member}/lots"))["lots"] == []
    assert (await books.ask(f"/v1/members/{member}/entries"))["entries"] == []


async def test_a_tombstone_makes_a_member_without_purchases_unknown_again(books: LedgerService) -> None:
    member = new_member()
    await books.record(registration(member, WEDNESDAY))
    await books.record(Message("members", member, None, {}))
    answer = await books.running.client.get(f"/v1/members/{member}/balances")
    assert answer.status_code == 404


async def test_an_event_that_left_no_fact_is_answered_404(books: LedgerService) -> None:
    answer = await books.running.client.get(f"/v1/explain/{NOBODY}")
    assert (answer.status_code, answer.json()["code"]) == (404, "event_unknown")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/members/li/balances", "member_id"),
        ("/v1/members/li/lots", "member_id"),
        (f"/v1/members/{NOBODY}/balances?at=yesterday", "at"),
        (f"/v1/members/{NOBODY}/balances?at=2026-03-11T00:00:00", "at"),
        (f"/v1/members/{NOBODY}/balances?at=9999-12-31T23:59:59-12:00", "at"),
        (f"/v1/members/{NOBODY}/balances?known_at=0001-01-01T00:00:00%2B14:00", "known_at"),
        (f"/v1/members/{NOBODY}/entries?cursor=-1", "cursor"),
        (f"/v1/members/{NOBODY}/entries?cursor=99999999999999999999", "cursor"),
        (f"/v1/members/{NOBODY}/entries?limit=501", "limit"),
        ("/v1/explain/R-0042", "event_id"),
    ],
)
async def test_a_malformed_question_is_answered_422_with_the_place(
    books: LedgerService, path: str, pointer: str
) -> None:
    answer = await books.running.client.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in answer.text


async def test_a_key_without_the_scope_reads_nothing(books: LedgerService) -> None:
    headers = await books.running.client_with("members:read")
    answer = await books.running.client.get(f"/v1/members/{NOBODY}/balances", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_reading_settles_without_recording(books: LedgerService) -> None:
    member = new_member()
    await books.record(purchase(member, at=WEDNESDAY))
    books.clock.now = local(2027, 4, 1)
    points = await books.points(member)
    assert (points["available"], points["expired"], points["expiring"]) == (0, 10, [])
    assert await books.entries() == 1
