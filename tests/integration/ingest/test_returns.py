"""Returns and voids through the whole door."""

from schemas.purchases import Purchase
from services.ingest.__main__ import SERVICE
from services.runtime.ports import Record
from tests.support.checkouts import RETURN, VOID, sale
from tests.support.ingest import IngestService

CARD, OTHER = ("card", "880012345678"), ("card", "990000000001")
ANOTHER_CARD = {"member": {"kind": "card", "value": "990000000001"}}


def named(records: list[Record[bytes | None]]) -> list[tuple[str, str, str | None]]:
    purchases = [Purchase.model_validate_json(record.value or b"") for record in records]
    return [(each.kind, each.member_id, each.original_id) for each in purchases]


async def test_a_return_with_another_card_is_the_members_of_its_sale(ingest: IngestService) -> None:
    li = await ingest.known(CARD)
    await ingest.known(OTHER)
    sold = await ingest.send(sale())
    await ingest.becomes(sold, outcome="accepted")
    returned = await ingest.send(RETURN | ANOTHER_CARD)
    await ingest.becomes(returned, outcome="accepted", member_id=li, reason=None)
    assert named(await ingest.published("purchases")) == [("sale", li, None), ("return", li, sold)]


async def test_a_void_and_a_return_wait_for_a_sale_that_is_claimed_by_registration(ingest: IngestService) -> None:
    void = VOID | {"original": VOID["original"] | {"sequence": RETURN["sequence"], "kind": "return"}}
    voided, returned = await ingest.send(void), await ingest.send(RETURN)
    await ingest.becomes(voided, outcome="waiting", reason="return_waits")
    await ingest.becomes(returned, outcome="waiting", reason="return_waits")
    sold = await ingest.send(sale())
    await ingest.becomes(sold, outcome="unclaimed")
    assert not await ingest.published("purchases")

    li = await ingest.register(CARD)

    await ingest.becomes(voided, outcome="accepted", member_id=li, reason=None)
    records = await ingest.published("purchases")
    assert named(records) == [("sale", li, None), ("return", li, sold), ("void", li, returned)]
    assert b"880012345678" not in b"".join(record.value or b"" for record in records)


async def test_a_return_sent_again_is_counted_once(ingest: IngestService) -> None:
    await ingest.known(CARD)
    for _ in range(2):
        returned = await ingest.send(RETURN)
    await ingest.becomes(returned, outcome="waiting", duplicates=1)
    await ingest.send(sale())
    await ingest.becomes(returned, outcome="accepted")
    await ingest.send(RETURN)
    await ingest.becomes(returned, outcome="accepted", duplicates=2)
    assert len(await ingest.published("purchases")) == 2


async def test_a_return_whose_claim_window_has_passed_is_put_before_a_person(ingest: IngestService) -> None:
    returned = await ingest.send(RETURN)
    await ingest.becomes(returned, outcome="waiting")
    assert SERVICE.jobs is not None
    (give_up,) = [job for job in SERVICE.jobs(ingest.context) if job.name == "give_up_returns"]
    assert await give_up.run() == 0
    await ingest.execute("UPDATE checkout SET waits_until = now()")
    assert await give_up.run() == 1
    await ingest.becomes(returned, outcome="review", reason="waited_too_long")
    assert len(await ingest.published("outcomes")) == 2
