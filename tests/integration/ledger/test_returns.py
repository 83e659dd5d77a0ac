"""Returns, voids and corrections on the real books: whatever batch they come in, the earlier facts are found."""

import asyncio
from datetime import timedelta

from schemas.purchases import PurchaseLine
from services.runtime.ports import Message
from tests.support.ledger import (
    CASE_LINES,
    WEDNESDAY,
    LedgerService,
    id_of,
    local,
    new_member,
    programme,
    purchase,
    tier_change,
)

FOUR_LINES = tuple(PurchaseLine(line=number, sku=f"sku-{number}", category="food", net=2500) for number in range(1, 5))


def coming_back(member: str, original: Message, *of_lines: int, kind: str = "return", number: int = 1) -> Message:
    """These of the four lines, or with kind `void` everything."""
    lines = tuple(PurchaseLine(line=n, sku=f"sku-{n}", net=2500, of_line=n) for n in of_lines)
    return purchase(
        member,
        lines=lines,
        kind=kind,
        original_id=id_of(original),
        sequence=100 + number,
        fingerprint=f"{number:064x}",
    )


async def test_a_return_and_its_sale_in_one_batch_and_the_rest_of_it_later(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    await books.record(sale, coming_back(member, sale, 1))
    assert (await books.points(member))["available"] == 75

    await books.record(coming_back(member, sale, 2, number=2), coming_back(member, sale, 3, 4, number=3))

    points = await books.points(member)
    assert (points["available"], points["reversed"], points["issued"]) == (0, 100, 100)
    assert await books.offence() is None


async def test_the_same_return_again_changes_nothing(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    back = coming_back(member, sale, 1)
    await books.record(sale, back, back)
    await books.record(back)

    assert (await books.points(member))["available"] == 75
    assert len(await books.facts(member)) == 2


async def test_a_void_of_a_return_finds_the_sale_behind_it(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    back = coming_back(member, sale, 1, 2)
    await books.record(sale)
    await books.record(back)
    await books.record(coming_back(member, back, kind="void", number=2))

    points = await books.points(member)
    assert (points["available"], points["reversed"]) == (100, 0)
    assert [fact["type"] for fact in await books.facts(member)] == [
        "purchase_recorded",
        "return_recorded",
        "return_voided",
    ]
    assert await books.offence() is None


async def test_C24_what_expired_is_found_in_the_entries(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    await books.record(sale)
    books.clock.now = local(2027, 5, 1)
    assert await books.settle() == 1
    await books.record(programme(), coming_back(member, sale, kind="void"))

    points = await books.points(member)
    assert (points["expired"], points["reversed"], points["debt"]) == (0, 100, 0)
    assert await books.offence() is None


async def test_two_returns_of_one_sale_at_once_take_it_once(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    await books.record(sale)

    await asyncio.gather(
        *(books.record(coming_back(member, sale, *lines, number=n)) for n, lines in enumerate([(1, 2), (2, 3), (4,)]))
    )

    points = await books.points(member)
    assert (points["available"], points["reversed"]) == (0, 100)
    reviews = [fact["review"] for fact in await books.facts(member) if fact["type"] == "return_recorded"]
    assert reviews.count("more_than_sold") >= 1
    assert await books.offence() is None


async def test_C18_a_purchase_that_ran_ahead_of_its_tier_is_corrected_when_the_tier_is_heard_of(
    books: LedgerService,
) -> None:
    member = new_member()
    before = purchase(member, 1000, at=WEDNESDAY - timedelta(days=2))
    sale = purchase(member, lines=CASE_LINES)
    await books.record(before, sale)
    change = tier_change(member, "gold", since=WEDNESDAY - timedelta(days=1))
    await books.record(change)
    await books.record(change)

    assert (await books.points(member))["available"] == 10 + 87
    explained = await books.ask(f"/v1/explain/{id_of(sale)}")
    (corrected,) = [entry["fact"] for entry in explained["later"]]
    assert (corrected["type"], corrected["original_id"]) == ("points_corrected", id_of(sale))
    assert [(each["rule"], each["before"], each["after"]) for each in corrected["changes"]] == [("base", 40, 61)]
    assert await books.offence() is None


async def test_what_came_back_is_shown_behind_what_the_sale_gave(books: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    back = coming_back(member, sale, 1)
    await books.record(sale, back)

    explained = await books.ask(f"/v1/explain/{id_of(sale)}")

    assert [entry["fact"]["type"] for entry in explained["later"]] == ["return_recorded"]
    returned = explained["later"][0]["fact"]
    assert (returned["event_id"], returned["brought_back"][0]["net"]) == (id_of(back), 2500)
    (fact,) = (await books.ask(f"/v1/explain/{id_of(back)}"))["facts"]
    assert fact["fact"] == returned


async def test_a_return_goes_from_topic_to_topic(ledger: LedgerService) -> None:
    member = new_member()
    sale = purchase(member, lines=FOUR_LINES)
    await ledger.running.send(programme(), sale)
    async with ledger.running.working():
        await ledger.until_recorded(1)
        await ledger.running.send(coming_back(member, sale, 1, 4))
        await ledger.until_recorded(2)
        records = await ledger.running.until_published("points", 2)
    assert records[1].headers["ce_type"] == "loyalty.points.return_recorded.v1"
    assert (await ledger.points(member))["available"] == 50
    assert await ledger.offence() is None
