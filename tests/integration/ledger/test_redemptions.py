"""What a till asks for, over HTTP, on real books."""

from datetime import timedelta
from typing import Any

from services.ledger.adapters.stocks import refold_stock
from tests.support.ledger import WEDNESDAY, local, new_member, purchase, tier_change
from tests.support.running_services import bearer
from tests.support.till import NEW_STATUS, Till, points


async def test_a_reward_is_had_for_its_price(till: Till) -> None:
    member = await till.member_with(120)

    answer = await till.redeemed(member, {"reward": "latte", "order": "R-0043"})

    assert (answer["spent"], answer["minor"]) == ({"points": 50}, None)
    assert (answer["balances"]["points"]["available"], answer["balances"]["points"]["spent"]) == (70, 50)
    fact = (await till.ledger.facts(member))[-1]
    assert (fact["type"], fact["reward"], fact["order"]) == ("points_redeemed", "latte", "R-0043")
    assert fact["redemption_id"] == fact["event_id"] == answer["redemption_id"]
    assert (fact["command"]["principal"], fact["programme_version"]) == ("ann", 1)
    assert await till.ledger.offence() is None


async def test_points_pay_a_part_of_a_basket(till: Till) -> None:
    member = await till.member_with(120)

    answer = await till.redeemed(member, {"as_money": "cash", "minor": 500, "basket_minor": 4090})

    assert (answer["spent"], answer["minor"], answer["balances"]["points"]["available"]) == ({"points": 50}, 500, 70)


async def test_explain_tells_what_a_redemption_spent_and_what_came_back(till: Till) -> None:
    member = await till.member_with(120)
    redemption = (await till.redeemed(member, points(50)))["redemption_id"]
    await till.cancel(member, redemption)

    told = await till.ledger.ask(f"/v1/explain/{redemption}")

    assert [each["fact"]["type"] for each in told["facts"]] == ["points_redeemed"]
    assert [each["fact"]["type"] for each in told["later"]] == ["redemption_cancelled"]


REFUSALS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (points(41), "insufficient_points", {"unit": "points", "available": 40, "required": 41}),
    (points(10**15), "insufficient_points", {"required": 10**15}),
    ({"reward": "latte"}, "insufficient_points", {"unit": "points", "available": 40, "required": 50}),
    ({"as_money": "cash", "minor": 40, "basket_minor": 90}, "below_minimum", {"minor": 40, "minimum_minor": 50}),
    ({"as_money": "cash", "minor": 55, "basket_minor": 90}, "not_a_step", {"minor": 55, "step_minor": 10}),
    ({"as_money": "half", "minor": 60, "basket_minor": 100}, "above_share_of_basket", {"maximum_minor": 50}),
    ({"reward": "tea"}, "reward_not_available", {"reward": "tea", "reason": "unknown"}),
    ({"reward": "lounge"}, "reward_not_available", {"reason": "tier", "tier": None, "tiers": ["gold"]}),
    ({"reward": "relic"}, "reward_not_available", {"reason": "over", "until": "2026-02-01"}),
    ({"unit": "growth", "points": 1}, "unit_not_spendable", {"unit": "growth"}),
]


async def test_a_refusal_says_why_in_numbers_and_changes_nothing(till: Till) -> None:
    member = await till.member_with(40)
    for body, code, numbers in REFUSALS:
        told = await till.refused(member, body)
        assert (told["code"], told["type"]) == (code, f"urn:loyalty:problem:{code}")
        assert {name: told[name] for name in numbers} == numbers
    assert await till.ledger.entries() == 1
    assert not await till.ledger.query("SELECT 1 FROM idempotency")


async def test_a_refusal_is_not_remembered_the_same_key_decides_anew(till: Till) -> None:
    member = await till.member_with(40)
    assert (await till.ask(member, points(50), "k")).status_code == 409

    await till.ledger.record(purchase(member, 1000))

    assert (await till.ask(member, points(50), "k")).status_code == 201


async def test_who_is_not_active_cannot_spend(till: Till) -> None:
    for status in ("blocked", "closed", "erased"):
        member = await till.member_with(40)
        await till.ledger.query(NEW_STATUS, id=member, status=status)
        told = await till.refused(member, points(10))
        assert (told["code"], told["member_status"]) == ("member_not_active", status)


async def test_who_is_neither_in_the_books_nor_a_member_is_unknown(till: Till) -> None:
    told = await till.refused(new_member(), points(10), 404)
    assert told["code"] == "member_unknown"


async def test_a_member_without_an_account_has_nothing_to_spend(till: Till) -> None:
    member = new_member()
    await till.ledger.query(NEW_STATUS, id=member, status="active")

    assert (await till.refused(member, points(10)))["available"] == 0
    assert (await till.cancel(member, new_member())).json()["code"] == "redemption_unknown"
    assert not await till.ledger.query("SELECT 1 FROM account")


async def test_the_last_of_a_stock_goes_to_one_member_and_comes_back_when_cancelled(till: Till) -> None:
    first, second = await till.member_with(100), await till.member_with(100)
    for member in (first, first, second):
        await till.redeemed(member, {"reward": "mug"})
    told = await till.refused(second, {"reward": "mug"})
    assert (told["reason"], told["stock"], told["taken"]) == ("out_of_stock", 3, 3)

    redemption = (await till.ledger.facts(first))[-1]["redemption_id"]
    await till.cancel(first, redemption)

    await till.redeemed(second, {"reward": "mug"})
    assert await till.ledger.offence() is None
    assert await gone(till) == 3


async def test_a_member_has_no_more_of_a_reward_than_it_allows(till: Till) -> None:
    member = await till.member_with(100)
    for _ in range(2):
        await till.redeemed(member, {"reward": "mug"})

    told = await till.refused(member, {"reward": "mug"})

    assert (told["reason"], told["limit"], told["taken"]) == ("member_limit", 2, 2)


async def test_the_stock_is_a_fold_of_the_facts(till: Till) -> None:
    member = await till.member_with(100)
    redemption = (await till.redeemed(member, {"reward": "mug"}))["redemption_id"]
    await till.redeemed(member, {"reward": "mug"})
    await till.redeemed(member, {"reward": "latte"})
    await till.cancel(member, redemption)
    await till.ledger.plant("UPDATE reward_stock SET taken = 3")
    offence = await till.ledger.offence()
    assert offence is not None
    assert (offence.check, offence.detail) == ("stock", "reward mug: the row has 3 gone, the facts say 1")

    async with till.ledger.running.context.database.begin() as uow:
        await refold_stock(uow)

    assert await gone(till) == 1
    assert await till.ledger.offence() is None


async def test_C11_what_is_cancelled_comes_back_and_expires_where_it_would_have(till: Till) -> None:
    member = await till.member_with(100)
    redemption = (await till.redeemed(member, points(60)))["redemption_id"]
    till.ledger.clock.now = local(2027, 4, 2)

    answer = await till.cancel(member, redemption)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["given_back"], told["expired"]) == ({"points": 60}, {"points": 60})
    balance = told["balances"]["points"]
    assert (balance["available"], balance["spent"], balance["expired"]) == (0, 0, 100)
    assert await till.ledger.offence() is None


async def test_a_redemption_is_cancelled_once(till: Till) -> None:
    member = await till.member_with(100)
    redemption = (await till.redeemed(member, points(60)))["redemption_id"]

    first, again = await till.cancel(member, redemption, "c"), await till.cancel(member, redemption, "c")
    assert (first.status_code, first.json()) == (again.status_code, again.json())

    other = await till.cancel(member, redemption, "another key")
    assert (other.status_code, other.json()["code"]) == (409, "redemption_already_cancelled")
    assert other.json()["given_back"] == other.json()["spent"] == {"points": 60}
    assert await till.available(member) == 100


async def test_a_cancellation_has_no_body_or_an_empty_one(till: Till) -> None:
    member, client = await till.member_with(100), till.ledger.running.client
    redemption = (await till.redeemed(member, points(60)))["redemption_id"]
    path = f"/v1/members/{member}/redemptions/{redemption}/cancel"

    wrong = await client.post(path, json={"points": 5}, headers={"Idempotency-Key": "k"})
    right = await client.post(path, json={}, headers={"Idempotency-Key": "k"})

    assert (wrong.status_code, right.status_code) == (422, 200)


async def test_a_redemption_of_somebody_else_is_unknown(till: Till) -> None:
    member, other = await till.member_with(100), await till.member_with(100)
    redemption = (await till.redeemed(member, points(60)))["redemption_id"]

    answer = await till.cancel(other, redemption)

    assert (answer.status_code, answer.json()["code"]) == (404, "redemption_unknown")


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({}, "/reward"),
    ({"reward": ""}, "/reward"),
    ({"reward": "latte", "quantity": 2}, "/quantity"),
    ({"unit": "points"}, "/points"),
    ({"unit": "points", "points": 0}, "/points"),
    ({"unit": "points", "points": 1.5}, "/points"),
    ({"unit": "points", "points": 10**15 + 1}, "/points"),
    ({"reward": "latte", "order": "a\u0007b"}, "/order"),
    ({"reward": "latte", "order": "x" * 201}, "/order"),
    ({"unit": "points", "points": "5"}, "/points"),
    ({"as_money": "cash", "minor": 500}, "/basket_minor"),
    ({"reward": "latte", "as_money": "cash", "minor": 5, "basket_minor": 9}, "/reward"),
]


async def test_a_malformed_request_is_told_where(till: Till) -> None:
    for body, pointer in MALFORMED:
        told = await till.refused(new_member(), body, 422)
        assert [each["pointer"] for each in told["errors"]] == [pointer]


async def test_spending_needs_a_key_its_scope_and_an_idempotency_key(till: Till) -> None:
    member, client = await till.member_with(100), till.ledger.running.client
    reader = await till.ledger.running.client_with("points:read")
    path = f"/v1/members/{member}/redemptions"

    assert (await till.ask(member, points(1), **reader)).status_code == 403
    assert (await till.ask(member, points(1), **bearer("lk_x_y"))).status_code == 401
    assert (await client.post(path, json=points(1))).status_code == 422
    assert (await client.post("/v1/members/7/redemptions", json=points(1))).status_code == 422
    assert await till.available(member) == 100


async def test_rewards_say_what_can_be_had_and_why_not_the_rest(till: Till) -> None:
    member = await till.member_with(30)
    await till.redeemed(member, {"reward": "mug"})

    told = await till.ledger.ask("/v1/rewards", member=member)

    rewards = {each["reward"]: each for each in told["rewards"]}
    assert {name for name, each in rewards.items() if each["available"]} == {"mug", "cash", "half"}
    assert (rewards["latte"]["why_not"]["code"], rewards["latte"]["why_not"]["available"]) == (
        "insufficient_points",
        20,
    )
    assert (rewards["lounge"]["why_not"]["reason"], rewards["relic"]["why_not"]["reason"]) == ("tier", "over")
    assert (rewards["mug"]["left"], rewards["cash"]["affordable_minor"]) == (2, 200)
    assert rewards["latte"]["name"] == {"zh": "拿铁", "en": "Latte"}


async def test_what_is_open_to_a_tier_is_shown_to_it(till: Till) -> None:
    member = await till.member_with(30)
    await till.ledger.record(tier_change(member, "gold", since=WEDNESDAY - timedelta(days=1)))

    rewards = (await till.ledger.ask("/v1/rewards", member=member))["rewards"]

    assert next(each for each in rewards if each["reward"] == "lounge")["available"]
    await till.redeemed(member, {"reward": "lounge"})


async def test_rewards_are_shown_to_nobody_in_particular_and_not_for_a_stranger(till: Till) -> None:
    rewards = (await till.ledger.ask("/v1/rewards"))["rewards"]
    assert {each["available"] for each in rewards} == {None}

    client = till.ledger.running.client
    assert (await client.get("/v1/rewards", params={"member": new_member()})).status_code == 404
    assert (await client.get("/v1/rewards", params={"member": "7"})).status_code == 422


async def gone(till: Till) -> int:
    return int((await till.ledger.query("SELECT taken FROM reward_stock WHERE reward = 'mug'"))[0][0])
