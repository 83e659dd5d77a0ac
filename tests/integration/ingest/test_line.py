"""Through the whole door: HTTP or Kafka in, decisions in PostgreSQL, purchases and outcomes out."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.outcomes import Outcome
from schemas.purchases import Activity, Purchase
from services.ingest.adapters.papers import seal_context
from services.ingest.domain.identity import EventId
from services.runtime.ports import Record
from tests.support.checkouts import FULL_SALE, LINES, RETURN, body, sale
from tests.support.ingest import IngestService

CARD, PHONE = ("card", "880012345678"), ("phone", "+8613800138000")
BY_PHONE = {"member": {"kind": "phone", "value": "+8613800138000"}}


def purchases(records: list[Record[bytes | None]]) -> list[Purchase]:
    return [Purchase.model_validate_json(record.value or b"") for record in records]


def outcomes(records: list[Record[bytes | None]]) -> list[Outcome]:
    return [Outcome.model_validate_json(record.value or b"") for record in records]


async def test_a_members_sale_becomes_a_purchase_without_a_word_about_the_person(ingest: IngestService) -> None:
    member_id = await ingest.known(CARD)
    event_id = await ingest.send(FULL_SALE)
    status = await ingest.becomes(event_id, outcome="accepted", member_id=member_id, duplicates=0, conflicts=0)
    assert status["reason"] is None
    (record,) = await ingest.published("purchases")
    assert (record.key, record.headers["ce_id"]) == (member_id, event_id)
    (purchase,) = purchases([record])
    assert (purchase.event_id, purchase.member_id, purchase.claimed_by) == (event_id, member_id, "till")
    told = (record.value or b"").decode() + json.dumps(dict(record.headers))
    assert not [word for word in ("880012345678", "王芳", "R-0042", "拿铁") if word in told]
    assert not await ingest.published("outcomes")


async def test_the_same_sale_over_http_and_kafka_and_twice_in_one_batch_is_one_purchase(ingest: IngestService) -> None:
    await ingest.known(CARD)
    await ingest.publish_many([body(sale())] * 3)
    event_id = await ingest.send(sale())
    await ingest.publish(body({"specversion": "1.0", "type": "loyalty.checkout.v1", "data": sale()}), STRUCTURED)
    await ingest.becomes(event_id, outcome="accepted", duplicates=4)
    assert len(await ingest.published("purchases")) == 1


async def test_a_sale_first_and_its_cards_registration_later(ingest: IngestService) -> None:
    event_id = await ingest.send(sale())
    await ingest.becomes(event_id, outcome="unclaimed", reason="unknown_identity")
    member_id = await ingest.register(CARD)
    await ingest.becomes(event_id, outcome="accepted", member_id=member_id)
    (purchase,) = purchases(await ingest.published("purchases"))
    assert purchase.claimed_by == "registration"
    assert purchase.occurred_at == datetime(2026, 3, 11, 1, 24, 31, tzinfo=UTC)


async def test_an_anonymous_sale_sent_again_with_a_member_is_a_claim(ingest: IngestService) -> None:
    member_id = await ingest.known(CARD)
    event_id = await ingest.send(sale(member=None))
    await ingest.becomes(event_id, outcome="unclaimed", reason="no_identity")
    await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted", member_id=member_id)
    (purchase,) = purchases(await ingest.published("purchases"))
    assert purchase.claimed_by == "claim"


async def test_one_sale_with_cards_of_two_members_is_a_conflict_and_of_one_member_a_duplicate(
    ingest: IngestService,
) -> None:
    li = await ingest.known(CARD, ("email", "li@example.com"))
    await ingest.known(PHONE)
    event_id = await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted")
    await ingest.send(sale(member={"kind": "email", "value": "LI@example.com"}))
    await ingest.becomes(event_id, duplicates=1, conflicts=0)
    for _ in range(2):
        await ingest.send(sale(**BY_PHONE))
    status = await ingest.becomes(event_id, outcome="accepted", member_id=li, conflicts=1)
    assert [(each["reason"], each["times"]) for each in status["conflicts"]] == [("other_member", 2)]
    assert len(await ingest.published("purchases")) == 1


async def test_other_content_under_the_same_id_is_kept_aside(ingest: IngestService) -> None:
    await ingest.known(CARD)
    event_id = await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted")
    other = [LINES[0] | {"quantity": "2"}, LINES[1]]
    await ingest.send(sale(lines=other))
    status = await ingest.becomes(event_id, outcome="accepted", conflicts=1)
    assert status["conflicts"][0]["reason"] == "other_content"
    assert len(await ingest.published("purchases")) == 1


async def test_what_did_not_become_a_purchase_is_told_with_its_body_sealed(ingest: IngestService) -> None:
    await ingest.known(CARD)
    sent = {
        "training": sale(sequence=1, flags=["training"]),
        "return_waits": RETURN,
        "original_missing": {name: value for name, value in RETURN.items() if name != "original"} | {"sequence": 2},
        "no_identity": sale(sequence=3, member=None),
    }
    fates = {"training": "ignored", "return_waits": "waiting", "original_missing": "review", "no_identity": "unclaimed"}
    for reason, checkout in sent.items():
        await ingest.becomes(await ingest.send(checkout), outcome=fates[reason], reason=reason)
    records = await ingest.published("outcomes")
    told = outcomes(records)
    assert {each.reason: each.fate for each in told} == fates
    for each in told:
        opened = ingest.context.seal.open(
            base64.urlsafe_b64decode(each.sealed_body or ""), seal_context(EventId(UUID(each.event_id)))
        )
        assert json.loads(opened)["receipt" if "receipt" in sent[str(each.reason)] else "lines"]
        assert b"880012345678" not in next(record.value or b"" for record in records if record.key == each.event_id)


async def test_a_suspended_sale_that_is_completed_later_is_a_sale(ingest: IngestService) -> None:
    await ingest.known(CARD)
    event_id = await ingest.send(sale(flags=["suspended"], lines=LINES[:1], tenders=[{"type": "cash", "amount": 2640}]))
    await ingest.becomes(event_id, outcome="ignored", reason="suspended")
    await ingest.send(sale())
    await ingest.becomes(event_id, outcome="accepted", reason=None)


async def test_a_card_that_is_given_up_or_whose_member_is_gone_names_nobody(ingest: IngestService) -> None:
    li = await ingest.known(CARD, PHONE)
    await ingest.known(PHONE, member_id=UUID(li), version=2)
    await ingest.becomes(await ingest.send(sale(sequence=1)), outcome="unclaimed")
    await ingest.becomes(await ingest.send(sale(sequence=2, **BY_PHONE)), outcome="accepted")
    await ingest.known(PHONE, member_id=UUID(li), version=3, status="closed")
    await ingest.becomes(await ingest.send(sale(sequence=3, **BY_PHONE)), outcome="unclaimed")
    named = sale(sequence=4, member={"kind": "member", "value": li})
    await ingest.becomes(await ingest.send(named), outcome="unclaimed")


async def test_a_tombstone_takes_the_identities_away(ingest: IngestService) -> None:
    li = await ingest.known(CARD)
    await ingest.publish(None, topic="members", key=li)
    await ingest.until(lambda: ingest.count("member WHERE status = 'erased'"))
    await ingest.becomes(await ingest.send(sale()), outcome="unclaimed")


async def test_a_blocked_member_earns_and_a_member_id_names_a_member(ingest: IngestService) -> None:
    li = await ingest.known(CARD, status="blocked")
    await ingest.becomes(await ingest.send(sale(sequence=1)), outcome="accepted", member_id=li)
    named = sale(sequence=2, member={"kind": "member", "value": li.upper()})
    await ingest.becomes(await ingest.send(named), outcome="accepted", member_id=li)


async def test_an_activity_is_recorded_once(ingest: IngestService) -> None:
    member_id = await ingest.known(CARD)
    occurred_at = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    activity: dict[str, Any] = {
        "member": {"kind": "card", "value": "880012345678"},
        "activity": "review",
        "reference": "order-17",
        "occurred_at": occurred_at,
    }
    first = await ingest.client.post("/v1/activities", json=activity)
    again = await ingest.client.post("/v1/activities", json=activity)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    other = await ingest.client.post("/v1/activities", json=activity | {"occurred_at": "2026-01-05T00:00:00Z"})
    assert (other.status_code, other.json()["code"]) == (409, "activity_conflict")
    nobody = await ingest.client.post("/v1/activities", json=activity | BY_PHONE)
    assert (nobody.status_code, nobody.json()["code"]) == (404, "member_unknown")
    (record,) = await ingest.published("activities")
    published = Activity.model_validate_json(record.value or b"")
    assert (record.key, published.member_id, published.source) == (member_id, member_id, "pos.acme")
    assert published.event_id == first.json()["event_id"]


async def test_nobody_but_the_notifier_gives_gifts(ingest: IngestService) -> None:
    await ingest.known(CARD)
    gift = {"source": "app.acme", "member": {"kind": "card", "value": CARD[1]}, "activity": "gift", "reference": "r"}
    gift |= {"occurred_at": "2026-01-04T00:00:00Z"}
    key, pretended = await ingest.key_of("app.acme", "notifier"), {"source": "notifier", "activity": "review"}
    by_activity = await ingest.client.post("/v1/activities", json=gift, headers=key)
    by_source = await ingest.client.post("/v1/activities", json=gift | pretended, headers=key)
    for answer, pointer in ((by_activity, "/activity"), (by_source, "/source")):
        assert answer.status_code == 422
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(pointer, "reserved")]


async def test_a_gift_of_the_notifier_on_the_shared_topic_halts_nobody(ingest: IngestService) -> None:
    headers = {"ce_id": str(uuid4()), "ce_source": "notifier", "ce_type": "loyalty.activity.v1"}
    await ingest.publish(b"{}", headers, topic="activities", key=str(uuid4()))
    await ingest.check_guard()


async def test_a_checkout_that_nobody_sent_is_404(ingest: IngestService) -> None:
    answer = await ingest.client.get("/v1/checkouts/00000000-0000-0000-0000-000000000001")
    assert (answer.status_code, answer.json()["code"]) == (404, "checkout_unknown")
    malformed = await ingest.client.get("/v1/checkouts/1841")
    assert malformed.status_code == 422


async def test_another_vendor_learns_nothing_of_a_sale(ingest: IngestService) -> None:
    event_id = await ingest.send(sale())
    await ingest.becomes(event_id, outcome="unclaimed")
    answer = await ingest.client.get(f"/v1/checkouts/{event_id}", headers=await ingest.key_of("pos.other"))
    assert answer.status_code == 404


STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize("topic", ["purchases", "outcomes"])
async def test_the_guard_knows_its_own_facts_and_halts_on_an_emptied_database(
    ingest: IngestService, topic: str
) -> None:
    await ingest.known(CARD)
    await ingest.becomes(await ingest.send(sale(sequence=1)), outcome="accepted")
    await ingest.becomes(await ingest.send(sale(sequence=2, member=None)), outcome="unclaimed")
    assert await ingest.published(topic)
    await ingest.check_guard()
    await ingest.execute(f"TRUNCATE {topic.removesuffix('s')}")
    with pytest.raises(Exception, match=f"this database is behind its topic `{topic}`") as halt:
        await ingest.check_guard()
    assert "restore the newest backup of schema `ingest`" in str(halt.value)
