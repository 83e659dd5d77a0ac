"""Points that paid, on real books: redeemed at a till over HTTP, given back by returns that come as records."""

import asyncio
from typing import Any

from schemas.purchases import PurchaseLine, PurchaseTender
from services.runtime.ports import Message
from tests.support.ledger import id_of, local, programme, purchase
from tests.support.programmes import with_change
from tests.support.till import P_WITH_REWARDS, Till, new_programme, points

TWO_LINES = (
    PurchaseLine(line=1, sku="cake-m", category="food", net=6000),
    PurchaseLine(line=2, sku="pie-m", category="food", net=4000),
)


def paid(redemption: str, minor: int = 8000) -> tuple[PurchaseTender, ...]:
    in_points = PurchaseTender(type="points", amount=minor, reference=redemption)
    return (in_points, PurchaseTender(type="card", amount=10_000 - minor))


def sold(member: str, redemption: str, number: int = 1, **changes: Any) -> Message:
    """For ¥100, of which points paid ¥80."""
    return purchase(member, lines=TWO_LINES, tenders=paid(redemption), sequence=number, **changes)


def coming_back(member: str, original: Message, *of_lines: int, kind: str = "return", number: int = 1) -> Message:
    lines = tuple(line.model_copy(update={"of_line": line.line}) for line in TWO_LINES if line.line in of_lines)
    changes: dict[str, Any] = {"kind": kind, "original_id": id_of(original), "fingerprint": f"{number:064x}"}
    return purchase(member, lines=lines, sequence=100 + number, **changes)


async def buckets(till: Till, member: str) -> tuple[int, int]:
    told = await till.ledger.points(member)
    return told["available"], told["spent"]


async def redeemed(till: Till, member: str, wanted: int = 80) -> str:
    return str((await till.redeemed(member, points(wanted)))["redemption_id"])


async def test_a_sale_and_its_return_in_one_batch_find_the_redemption_before_them(till: Till) -> None:
    member = await till.member_with(100)
    redemption = await redeemed(till, member)
    sale = sold(member, redemption)

    await till.ledger.record(sale, coming_back(member, sale, 1), coming_back(member, sale, 2, number=2))

    assert await buckets(till, member) == (100, 0)
    assert await till.ledger.offence() is None


async def test_a_return_is_found_by_its_void_and_by_cancelling_the_rest(till: Till) -> None:
    member = await till.member_with(100)
    redemption = await redeemed(till, member)
    sale = sold(member, redemption)
    back = coming_back(member, sale, 1)
    await till.ledger.record(sale)
    await till.ledger.record(back)
    assert await buckets(till, member) == (20 + 48 + 8, 32)

    await till.ledger.record(coming_back(member, back, kind="void", number=2))
    assert await buckets(till, member) == (20 + 20, 80)

    await till.ledger.record(coming_back(member, sale, 2, number=3))
    cancelled = (await till.cancel(member, redemption)).json()

    assert cancelled["given_back"] == {"points": 48}
    assert await buckets(till, member) == (100 + 12, 0)
    assert (await till.cancel(member, redemption)).json()["code"] == "redemption_already_cancelled"
    assert await till.ledger.offence() is None


async def test_the_other_sales_of_a_redemption_are_found_in_the_entries(till: Till) -> None:
    member = await till.member_with(100)
    redemption = await redeemed(till, member)
    await till.ledger.record(sold(member, redemption), purchase(member, 500, sequence=7))
    second = sold(member, redemption, 2)

    await till.ledger.record(second)
    await till.ledger.record(coming_back(member, second, kind="void"))

    restored = [fact for fact in await till.ledger.facts(member) if fact["type"] == "points_restored"]
    assert [fact["given_back"] for fact in restored] == [{"points": 40}]


async def test_somebody_elses_redemption_gives_nothing_back_and_is_flagged(till: Till) -> None:
    member, other = await till.member_with(100), await till.member_with(100)
    sale = sold(member, await redeemed(till, other))
    await till.ledger.record(sale, coming_back(member, sale, kind="void"))

    (returned,) = [fact for fact in await till.ledger.facts(member) if fact["type"] == "return_recorded"]

    assert returned["review"] == "unknown_redemption"
    assert (await buckets(till, member), await buckets(till, other)) == ((100, 0), (20, 80))


async def test_cancelling_and_returning_at_once_give_back_what_was_spent_and_no_more(till: Till) -> None:
    member = await till.member_with(100)
    redemption = await redeemed(till, member)
    sale = sold(member, redemption)
    await till.ledger.record(sale)

    await asyncio.gather(
        *(till.ledger.record(coming_back(member, sale, line, number=line)) for line in (1, 2)),
        *(till.cancel(member, redemption) for _ in range(3)),
    )

    assert await buckets(till, member) == (100, 0)
    assert await till.ledger.offence() is None


async def test_the_same_return_again_gives_nothing_more(till: Till) -> None:
    member = await till.member_with(100)
    sale = sold(member, await redeemed(till, member))
    back = coming_back(member, sale, 1)
    await till.ledger.record(sale, back)
    entries = await till.ledger.entries()

    await till.ledger.record(back)

    assert await till.ledger.entries() == entries


async def test_explain_shows_what_came_back_behind_the_return_the_sale_and_the_redemption(till: Till) -> None:
    member = await till.member_with(100)
    redemption = await redeemed(till, member)
    sale = sold(member, redemption)
    back = coming_back(member, sale, 1)
    await till.ledger.record(sale, back, coming_back(member, back, kind="void", number=2))

    async def told(event: str, part: str) -> list[str]:
        return [each["fact"]["type"] for each in (await till.ledger.ask(f"/v1/explain/{event}"))[part]]

    assert await told(id_of(back), "facts") == ["points_restored", "return_recorded"]
    for event in (redemption, id_of(sale), id_of(back)):
        assert "points_spent_again" in await told(event, "later")
    assert "points_restored" in await told(redemption, "later")


async def test_C11_a_return_after_the_lots_end_gives_back_what_expires_at_once(till: Till) -> None:
    member = await till.member_with(100)
    sale = sold(member, await redeemed(till, member))
    await till.ledger.record(sale)
    till.ledger.clock.now = local(2027, 5, 1)
    await till.ledger.settle()

    await till.ledger.record(new_programme(), coming_back(member, sale, kind="void"))

    told = await till.ledger.points(member)
    assert (told["available"], told["spent"], told["expired"], told["reversed"]) == (0, 0, 100, 20)
    assert await till.ledger.offence() is None


async def test_C11_a_programme_may_let_cancelled_points_be_used_for_a_while(till: Till) -> None:
    member = await till.member_with(100)
    promise = with_change(
        with_change(P_WITH_REWARDS, "units.points.restored_points", {"at_least": "P30D"}), "version", 2
    )
    await till.ledger.record(programme(promise))
    redemption = await redeemed(till, member)
    till.ledger.clock.now = local(2027, 5, 1, 12)

    cancelled = (await till.cancel(member, redemption)).json()

    lots = (await till.ledger.ask(f"/v1/members/{member}/lots"))["lots"]
    left = [(lot["expires_at"], lot["available"]) for lot in lots if lot["unit"] == "points"]
    assert left == [("2027-05-31T16:00:00Z", 80)]
    assert (cancelled["expired"], cancelled["balances"]["points"]["expired"]) == ({}, 20)
    assert await till.ledger.offence() is None
