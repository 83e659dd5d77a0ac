import base64

import pytest

from schemas.checkouts import Checkout
from schemas.outcomes import Outcome
from schemas.purchases import Purchase
from services.ingest.adapters.papers import seal_context
from services.ingest.application.ports import Entry, Told
from services.ingest.domain.admission import ClaimedBy, Fate, Reason, Standing
from services.ingest.domain.identity import MemberId
from services.runtime.seal import Seal
from tests.support.checkouts import FULL_SALE, NOW, RETURN, SEAL_KEY, VOID, body, reopener, submission

MEMBER = MemberId(submission(FULL_SALE).arrival.event_id)
PERSONAL = ["880012345678", "王芳", "R-0042", "拿铁", "4111111111111111", "4e0c", "SN-1"]


@pytest.mark.parametrize("checkout", [FULL_SALE, RETURN, VOID])
def test_a_purchase_is_what_the_contract_says(checkout: dict[str, object]) -> None:
    sent = submission(checkout)
    purchase = Purchase.model_validate_json(sent.paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW))
    assert purchase.event_id == str(sent.arrival.event_id)
    assert purchase.member_id == str(MEMBER)
    assert purchase.fingerprint == sent.arrival.fingerprint.hex()
    assert purchase.kind == checkout["kind"]
    assert purchase.original_id == (None if checkout is FULL_SALE else str(sent.arrival.original_id))


def test_a_purchase_has_all_that_earns() -> None:
    purchase = Purchase.model_validate_json(submission(FULL_SALE).paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW))
    checkout = Checkout.model_validate(FULL_SALE)
    assert [(line.line, line.net, line.tax, line.quantity, line.category) for line in purchase.lines] == [
        (line.line, line.net, line.tax, line.quantity, line.category) for line in checkout.lines
    ]
    assert purchase.occurred_at == checkout.occurred_at
    assert (purchase.partner, purchase.time_zone, purchase.flags) == ("mall-7", "Asia/Shanghai", ("offline",))
    assert (purchase.channel, purchase.tax_included, purchase.rounding) == ("store", True, 0)


@pytest.mark.parametrize("personal", PERSONAL)
def test_a_purchase_carries_nothing_personal(personal: str) -> None:
    assert personal not in submission(FULL_SALE).paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW).decode()


def test_only_declared_attributes_leave_the_door() -> None:
    sent = submission(FULL_SALE, declared=("queue",))
    purchase = Purchase.model_validate_json(sent.paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW))
    assert purchase.attributes == {"queue": 3}


def test_the_reference_of_a_redemption_is_kept_and_that_of_a_card_is_not() -> None:
    tenders = [
        {"type": "card", "amount": 3590, "reference": "4111"},
        {"type": "points", "amount": 500, "reference": "h-1"},
    ]
    sent = submission(FULL_SALE | {"tenders": tenders})
    purchase = Purchase.model_validate_json(sent.paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW))
    assert [tender.reference for tender in purchase.tenders] == [None, "h-1"]


def test_an_outcome_carries_the_whole_checkout_for_those_with_the_key_only() -> None:
    sent = submission(FULL_SALE)
    told = sent.paper.as_outcome(Told(1, Fate.UNCLAIMED, Reason.UNKNOWN_IDENTITY, NOW), sent.paper.sealed())
    assert not [personal for personal in PERSONAL if personal in told.decode()]
    outcome = Outcome.model_validate_json(told)
    assert outcome.sealed_body is not None
    assert outcome.identity_digest == (sent.arrival.identity or b"").hex()
    opened = Seal(SEAL_KEY).open(base64.urlsafe_b64decode(outcome.sealed_body), seal_context(sent.arrival.event_id))
    assert Checkout.model_validate_json(opened) == Checkout.model_validate(FULL_SALE)


def test_a_sealed_checkout_reads_again_as_the_same_purchase() -> None:
    sent = submission(FULL_SALE)
    arrival = sent.arrival
    standing = Standing(Fate.UNCLAIMED, Reason.UNKNOWN_IDENTITY, arrival.fingerprint, arrival.identity)
    again = reopener().reopen(Entry(arrival.event_id, standing, sealed=sent.paper.sealed()))
    assert again.as_purchase(MEMBER, ClaimedBy.TILL, NOW) == sent.paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW)


def test_the_same_card_is_the_same_identity_however_it_is_written() -> None:
    spelled = FULL_SALE | {"member": {"kind": "card", "value": "8800 1234-5678"}}
    assert submission(spelled).arrival.identity == submission(FULL_SALE).arrival.identity


def test_a_phone_number_without_a_country_is_one_of_the_region() -> None:
    here = FULL_SALE | {"member": {"kind": "phone", "value": "138 0013 8000"}}
    full = FULL_SALE | {"member": {"kind": "phone", "value": "+8613800138000"}}
    assert submission(here).arrival.identity == submission(full).arrival.identity


def test_unknown_fields_are_counted() -> None:
    counted: list[int] = []
    submission(FULL_SALE | {"colour": "red", "mood": 3}, count_unknown=counted.append)
    assert counted == [2]


def test_what_was_taken_in_by_the_rules_of_its_day_is_read_again_by_them() -> None:
    came = RETURN | {"original": RETURN["original"] | {"kind": "return"}}
    event_id = submission(RETURN).arrival.event_id
    standing = Standing(Fate.WAITING, Reason.RETURN_WAITS, bytes(32))
    sealed = Seal(SEAL_KEY).seal(body(came), seal_context(event_id))
    paper = reopener().reopen(Entry(event_id, standing, sealed=sealed))
    assert Purchase.model_validate_json(paper.as_purchase(MEMBER, ClaimedBy.TILL, NOW)).event_id == str(event_id)
