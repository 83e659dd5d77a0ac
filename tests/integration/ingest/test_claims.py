"""Receipts that are claimed and sales that lapse, through the whole door."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from schemas.outcomes import Outcome
from schemas.purchases import Purchase
from services.ingest.__main__ import SERVICE
from services.runtime.ports import Record
from tests.support.checkouts import RETURN, VOID, sale
from tests.support.ingest import IngestService

CARD, PHONE = ("card", "880012345678"), ("phone", "+8613800138000")
BY_PHONE = {"member": {"kind": "phone", "value": "138 0013 8000"}}
BY_CARD = {"member": {"kind": "card", "value": "8800 1234 5678"}}
ANONYMOUS = sale(member=None)


async def claim(
    ingest: IngestService, event_id: str, body: Any, key: str = "", headers: dict[str, str] | None = None
) -> Response:
    sent = {"Idempotency-Key": key or str(uuid4())} | (headers or {})
    return await ingest.client.post(f"/v1/checkouts/{event_id}/claim", json=body, headers=sent)


async def refused(ingest: IngestService, event_id: str, body: Any) -> tuple[int, str]:
    answer = await claim(ingest, event_id, body)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def unclaimed(ingest: IngestService, checkout: dict[str, Any]) -> str:
    event_id = await ingest.send(checkout)
    await ingest.becomes(event_id, outcome="unclaimed")
    return event_id


async def its_time_passes(ingest: IngestService, event_id: str) -> None:
    await ingest.execute(f"UPDATE checkout SET waits_until = now() WHERE event_id = '{event_id}'")


async def run_job(ingest: IngestService, name: str) -> int:
    assert SERVICE.jobs is not None
    (job,) = [job for job in SERVICE.jobs(ingest.context) if job.name == name]
    return await job.run()


async def purchases(ingest: IngestService) -> list[Purchase]:
    return [Purchase.model_validate_json(record.value or b"") for record in await ingest.published("purchases")]


def outcomes(records: list[Record[bytes | None]]) -> list[tuple[str, str | None]]:
    told = [Outcome.model_validate_json(record.value or b"") for record in records]
    return [(each.fate, each.reason) for each in told]


async def test_a_receipt_is_claimed_by_whoever_holds_it(ingest: IngestService) -> None:
    li = await ingest.known(PHONE)
    event_id = await unclaimed(ingest, ANONYMOUS)
    answer = await claim(ingest, event_id, BY_PHONE)
    assert answer.status_code == 200
    assert answer.json() == await ingest.status(event_id)
    assert (answer.json()["outcome"], answer.json()["member_id"], answer.json()["waits_until"]) == (
        "accepted",
        li,
        None,
    )
    (purchase,) = await purchases(ingest)
    assert (purchase.event_id, purchase.member_id, purchase.claimed_by) == (event_id, li, "receipt")
    assert await ingest.count("checkout WHERE sealed_body IS NOT NULL") == 0


async def test_a_member_is_named_by_id_as_well_and_a_blocked_one_earns(ingest: IngestService) -> None:
    li = await ingest.known(PHONE, status="blocked")
    event_id = await unclaimed(ingest, ANONYMOUS)
    answer = await claim(ingest, event_id, {"member": {"kind": "member", "value": li}})
    assert (answer.status_code, answer.json()["member_id"]) == (200, li)


async def test_one_receipt_one_claim(ingest: IngestService) -> None:
    await ingest.known(PHONE)
    await ingest.known(CARD)
    event_id = await unclaimed(ingest, ANONYMOUS)
    first = await claim(ingest, event_id, BY_PHONE, key="one")
    assert (await claim(ingest, event_id, BY_PHONE, key="one")).json() == first.json()
    assert (await claim(ingest, event_id, BY_PHONE, key="two")).json() == first.json()
    assert await refused(ingest, event_id, BY_CARD) == (409, "already_claimed")
    reused = await claim(ingest, event_id, BY_CARD, key="one")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await purchases(ingest)) == 1


async def test_a_sale_with_a_card_of_nobody_is_claimed_by_receipt_and_then_not_by_its_registration(
    ingest: IngestService,
) -> None:
    li = await ingest.known(PHONE)
    event_id = await unclaimed(ingest, sale())
    assert (await claim(ingest, event_id, BY_PHONE)).status_code == 200
    await ingest.known(CARD)
    await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted", member_id=li, duplicates=1, conflicts=0)
    assert [each.member_id for each in await purchases(ingest)] == [li]


async def test_a_claim_lets_go_what_was_brought_back_meanwhile(ingest: IngestService) -> None:
    li = await ingest.known(PHONE)
    event_id = await unclaimed(ingest, ANONYMOUS)
    void = VOID | {"original": VOID["original"] | {"sequence": RETURN["sequence"], "kind": "return"}}
    returned, voided = await ingest.send(RETURN), await ingest.send(void)
    await ingest.becomes(returned, outcome="waiting")
    await ingest.becomes(voided, outcome="waiting")
    assert (await claim(ingest, event_id, BY_PHONE)).status_code == 200
    await ingest.becomes(voided, outcome="accepted", member_id=li)
    found = [(each.kind, each.member_id, each.claimed_by) for each in await purchases(ingest)]
    assert found == [("sale", li, "receipt"), ("return", li, "till"), ("void", li, "till")]


async def test_what_is_no_unclaimed_sale_is_not_claimed(ingest: IngestService) -> None:
    await ingest.known(PHONE)
    loose = {name: value for name, value in RETURN.items() if name != "original"}
    fates = {"ignored": sale(flags=["training"]), "waiting": RETURN, "review": loose | {"sequence": 7}}
    for fate, checkout in fates.items():
        event_id = await ingest.send(checkout)
        await ingest.becomes(event_id, outcome=fate)
        answer = await claim(ingest, event_id, BY_PHONE)
        assert (answer.status_code, answer.json()["code"], answer.json()["outcome"]) == (409, "not_claimable", fate)


async def test_a_member_whom_nobody_knows_claims_nothing(ingest: IngestService) -> None:
    event_id = await unclaimed(ingest, ANONYMOUS)
    assert await refused(ingest, event_id, BY_PHONE) == (409, "member_not_registered")
    await ingest.known(PHONE, status="closed")
    assert await refused(ingest, event_id, BY_PHONE) == (409, "member_not_registered")
    await ingest.becomes(event_id, outcome="unclaimed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/member"),
        ({"member": {"kind": "card"}}, "/member/value"),
        ({"member": {"kind": "passport", "value": "7"}}, "/member/kind"),
        ({"member": {"kind": "phone", "value": "12"}}, "/member/value"),
        ({"member": {"kind": "card", "value": 7}}, "/member/value"),
    ],
)
async def test_a_malformed_claim_says_where(ingest: IngestService, body: Any, pointer: str) -> None:
    answer = await claim(ingest, str(uuid4()), body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_sale_that_nobody_sent_or_another_vendor_did_is_unknown(ingest: IngestService) -> None:
    await ingest.known(PHONE)
    assert await refused(ingest, str(uuid4()), BY_PHONE) == (404, "checkout_unknown")
    event_id = await unclaimed(ingest, ANONYMOUS)
    other = await claim(ingest, event_id, BY_PHONE, headers=await ingest.key_of("pos.other"))
    assert (other.status_code, other.json()["code"]) == (404, "checkout_unknown")
    waits = await ingest.send(RETURN | {"sequence": 9, "original": RETURN["original"] | {"sequence": 99}})
    await ingest.becomes(waits, outcome="waiting")
    async with ingest.context.database.read() as connection:
        original = await connection.exec_driver_sql(f"SELECT original_id FROM checkout WHERE event_id = '{waits}'")
    assert await refused(ingest, str(original.scalar_one()), BY_PHONE) == (404, "checkout_unknown")


async def test_what_nobody_claims_in_time_lapses_and_is_told_once(ingest: IngestService) -> None:
    early, late = await unclaimed(ingest, ANONYMOUS), await unclaimed(ingest, sale(sequence=2))
    await its_time_passes(ingest, early)
    assert await run_job(ingest, "lapse") == 1
    assert await run_job(ingest, "lapse") == 0
    status = await ingest.becomes(early, outcome="lapsed", reason="not_claimed")
    await ingest.becomes(late, outcome="unclaimed")
    told = [Outcome.model_validate_json(record.value or b"") for record in await ingest.published("outcomes")]
    (outcome,) = [each for each in told if each.fate == "lapsed"]
    assert outcome.event_id == early
    assert outcome.waits_until is not None
    assert (outcome.outcome_seq, outcome.waits_until.isoformat()) == (2, status["waits_until"].replace("Z", "+00:00"))
    assert outcome.sealed_body is not None
    assert await ingest.count(f"checkout WHERE event_id = '{early}' AND sealed_body IS NULL") == 1


@pytest.mark.parametrize("job_came_by", [False, True], ids=["before the job", "after the job"])
async def test_after_its_time_neither_claim_registration_nor_the_till_brings_a_sale_back(
    ingest: IngestService, job_came_by: bool
) -> None:
    await ingest.known(PHONE)
    event_id = await unclaimed(ingest, sale())
    await its_time_passes(ingest, event_id)
    if job_came_by:
        assert await run_job(ingest, "lapse") == 1
    answer = await claim(ingest, event_id, BY_PHONE)
    status = await ingest.status(event_id)
    assert status is not None
    assert (answer.status_code, answer.json()["code"]) == (409, "lapsed")
    assert answer.json()["lapsed_at"] == status["waits_until"]
    await ingest.known(CARD)
    assert await run_job(ingest, "rematch") == 0
    await ingest.send(sale())
    await ingest.send(sale(**BY_PHONE))
    await ingest.becomes(event_id, duplicates=2, conflicts=0)
    assert await run_job(ingest, "lapse") == (0 if job_came_by else 1)
    await ingest.becomes(event_id, outcome="lapsed", member_id=None)
    assert not await ingest.published("purchases")


async def test_what_comes_back_of_a_lapsed_sale_is_put_before_a_person(ingest: IngestService) -> None:
    event_id, returned = await unclaimed(ingest, ANONYMOUS), await ingest.send(RETURN)
    await ingest.becomes(returned, outcome="waiting")
    await its_time_passes(ingest, event_id)
    assert await run_job(ingest, "lapse") == 1
    assert await run_job(ingest, "give_up_returns") == 1
    await ingest.becomes(returned, outcome="review", reason="original_lapsed")
    later = await ingest.send(RETURN | {"sequence": 1901})
    await ingest.becomes(later, outcome="review", reason="original_lapsed")
    fates = outcomes(await ingest.published("outcomes"))
    assert fates.count(("review", "original_lapsed")) == 2


async def test_the_programme_in_force_when_a_sale_is_recorded_says_how_long_it_waits(
    bare_ingest: IngestService,
) -> None:
    await bare_ingest.publish_programme(claim_window="P1Y")
    first = await unclaimed(bare_ingest, ANONYMOUS)
    status = await bare_ingest.status(first)
    assert status is not None
    (told,) = await bare_ingest.published("outcomes")
    outcome = Outcome.model_validate_json(told.value or b"")
    assert outcome.waits_until is not None
    assert 365 <= (outcome.waits_until - outcome.recorded_at).days <= 366
    assert status["waits_until"] == outcome.model_dump(mode="json")["waits_until"]


async def test_reading_all_checkouts_again_changes_nothing_for_claimed_and_lapsed_ones(ingest: IngestService) -> None:
    await ingest.known(PHONE)
    claimed, lapsed = await unclaimed(ingest, sale(sequence=1)), await unclaimed(ingest, sale(sequence=2))
    assert (await claim(ingest, claimed, BY_PHONE)).status_code == 200
    await its_time_passes(ingest, lapsed)
    await run_job(ingest, "lapse")
    await ingest.known(CARD)
    told = len(await ingest.published("outcomes")), len(await ingest.published("purchases"))
    await ingest.read_again("checkouts")
    # Whoever is fenced notices it with the next record.
    await unclaimed(ingest, sale(sequence=3, member=None))
    await ingest.becomes(claimed, outcome="accepted", duplicates=1, conflicts=0)
    await ingest.becomes(lapsed, outcome="lapsed", duplicates=1, conflicts=0)
    assert (len(await ingest.published("outcomes")), len(await ingest.published("purchases"))) == (told[0] + 1, told[1])
