from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.ingest.domain.admission import Claimed, ClaimedBy, Fate, Reason, Standing, claimed
from services.ingest.domain.claim import AlreadyClaimed, Lapsed, MemberNotRegistered, NotClaimable, decide_claim
from services.ingest.domain.identity import EventId, MemberId

LI, WANG = MemberId(UUID(int=10)), MemberId(UUID(int=11))
CARD, PHONE = b"card", b"phone"
NOW = datetime(2026, 3, 11, tzinfo=UTC)
ANONYMOUS = Standing(Fate.UNCLAIMED, Reason.NO_IDENTITY, b"content", waits_until=NOW + timedelta(microseconds=1))
WITH_CARD = replace(ANONYMOUS, reason=Reason.UNKNOWN_IDENTITY, identity=CARD)
SOLD = replace(WITH_CARD, fate=Fate.ACCEPTED, reason=None, member_id=LI, waits_until=None)
LAPSED = replace(ANONYMOUS, fate=Fate.LAPSED, reason=Reason.NOT_CLAIMED, waits_until=NOW)


def test_a_sale_without_a_member_is_the_claimants() -> None:
    claim = decide_claim(ANONYMOUS, PHONE, LI, NOW)
    assert claim == Claimed(PHONE, LI, ClaimedBy.RECEIPT)
    after = claimed(ANONYMOUS, claim)
    assert (after.fate, after.member_id, after.identity, after.waits_until) == (Fate.ACCEPTED, LI, PHONE, None)


def test_a_sale_with_a_card_of_nobody_goes_to_who_holds_the_receipt_and_keeps_its_card() -> None:
    assert decide_claim(WITH_CARD, PHONE, LI, NOW) == Claimed(CARD, LI, ClaimedBy.RECEIPT)


def test_a_sale_that_is_the_claimants_already_stays_theirs() -> None:
    assert decide_claim(SOLD, PHONE, LI, NOW) is None


@pytest.mark.parametrize(
    ("seen", "owner", "refusal"),
    [
        pytest.param(SOLD, WANG, AlreadyClaimed, id="another member's"),
        pytest.param(LAPSED, LI, Lapsed, id="lapsed"),
        pytest.param(replace(ANONYMOUS, waits_until=NOW), LI, Lapsed, id="its time is over"),
        pytest.param(ANONYMOUS, None, MemberNotRegistered, id="nobody has the identity"),
        pytest.param(replace(ANONYMOUS, fate=Fate.IGNORED), LI, NotClaimable, id="ignored"),
        pytest.param(replace(ANONYMOUS, fate=Fate.WAITING), LI, NotClaimable, id="a return that waits"),
        pytest.param(replace(ANONYMOUS, fate=Fate.REVIEW), LI, NotClaimable, id="a return under review"),
        pytest.param(replace(SOLD, original_id=EventId(UUID(int=1))), LI, NotClaimable, id="a member's return"),
    ],
)
def test_what_cannot_be_claimed(seen: Standing, owner: MemberId | None, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        decide_claim(seen, PHONE, owner, NOW)


def test_who_comes_too_late_is_told_since_when() -> None:
    with pytest.raises(Lapsed) as refused:
        decide_claim(LAPSED, PHONE, LI, NOW + timedelta(days=1))
    assert refused.value.lapsed_at == NOW
