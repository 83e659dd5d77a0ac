"""A command with an Idempotency-Key happens once, whatever is lost on the way."""

from tests.support.ledger import local, purchase
from tests.support.till import Till, points


async def test_a_key_that_comes_again_gets_the_first_answer_whatever_happened_since(till: Till) -> None:
    member = await till.member_with(100)
    first = await till.ask(member, points(60), "k")
    await till.ledger.record(purchase(member, 5_000))

    again = await till.ask(member, {"order": "R-0043", "points": 60, "unit": "points"}, "k")

    assert (again.status_code, again.content) == (201, first.content)
    assert await till.available(member) == 90


async def test_the_first_answer_is_told_from_the_books_where_its_row_is_missing(till: Till) -> None:
    member = await till.member_with(100)
    first = await till.ask(member, points(60), "k")
    cancelled = await till.cancel(member, first.json()["redemption_id"], "c")
    await till.ledger.record(purchase(member, 5_000))
    till.ledger.clock.now = local(2026, 4, 1)
    await till.ledger.query("DELETE FROM idempotency RETURNING 1")

    again = await till.ask(member, points(60), "k")
    cancelled_again = await till.cancel(member, first.json()["redemption_id"], "c")

    assert (again.status_code, again.json()) == (201, first.json())
    assert (cancelled_again.status_code, cancelled_again.json()) == (200, cancelled.json())
    assert await till.available(member) == 150
    # The rows are there again, and answer without the books.
    assert len(await till.ledger.query("SELECT 1 FROM idempotency")) == 2


async def test_what_was_settled_on_the_way_belongs_to_the_answer_from_the_books_too(till: Till) -> None:
    member = await till.member_with(100)
    redemption = (await till.redeemed(member, points(60)))["redemption_id"]
    till.ledger.clock.now = local(2027, 4, 2)
    cancelled = await till.cancel(member, redemption, "c")
    await till.ledger.query("DELETE FROM idempotency RETURNING 1")

    assert (await till.cancel(member, redemption, "c")).json() == cancelled.json()
    types = [fact["type"] for fact in await till.ledger.facts(member)]
    assert types[2:] == ["points_expired", "redemption_cancelled", "points_expired"]


async def test_a_key_with_another_body_is_refused_with_and_without_its_row(till: Till) -> None:
    member = await till.member_with(100)
    await till.redeemed(member, points(60), "k")

    for _ in range(2):
        answer = await till.ask(member, points(10), "k")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        await till.ledger.query("DELETE FROM idempotency RETURNING 1")
    assert await till.available(member) == 40


async def test_one_key_is_another_command_for_another_member_operation_or_owner(till: Till) -> None:
    member, other = await till.member_with(100), await till.member_with(100)
    first = await till.redeemed(member, points(60), "k")
    second = await till.redeemed(other, points(60), "k")
    stranger = await till.ledger.running.client_with("points:redeem")
    third = await till.ask(member, points(10), "k", **stranger)
    cancelled = await till.cancel(member, first["redemption_id"], "k")

    assert cancelled.status_code == 200
    assert len({first["redemption_id"], second["redemption_id"], third.json()["redemption_id"]}) == 3
    assert [await till.available(each) for each in (member, other)] == [90, 40]
